package httpadapter

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/replay"
)

var plainFingerprinter = newFingerprinter(Fingerprint{})

func fingerprint(r *http.Request, body []byte) string { return plainFingerprinter.of(r, body).String() }

func request(method, target, contentType string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// Records outlive a deployment: the same request has to have the same fingerprint in every release
// that says "1:". The sums were made by another program from the definition: SHA-256 over "1",
// method, escaped path, sorted query, media type and body, each after its length in 8 bytes,
// big-endian.
func TestFingerprintGolden(t *testing.T) {
	everyByte := make([]byte, 256)
	for i := range everyByte {
		everyByte[i] = byte(i)
	}
	for _, tt := range []struct {
		r    *http.Request
		body []byte
		want string
	}{
		{request("POST", "/", ""), nil, "1:OwWJ7MpxvHCvLW5hjvPUIVkFM8_8dr3CDTv2Dnh-_So"},
		{request("POST", "/orders", "application/json"), []byte(`{"amount":100}`),
			"1:0s-I-uBWmmbY5WZTMlm-z0okwIKU_tbO_A205f4QqYI"},
		{request("PATCH", "/orders/7%2F8?b=2&a=1&a=1", "application/merge-patch+json"), []byte("{}"),
			"1:fE9cTerUf4MUqxsDBrwUd-TkvZkNpiSqQkEnxkttp_0"},
		{request("POST", "/caf%C3%A9?q=%20", "text/plain"), everyByte, "1:DBfPwkbEo4DNZFJEwZixnvkbKq2cOPu0rCf416gPd28"},
	} {
		if got := fingerprint(tt.r, tt.body); got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.r.Method, tt.r.URL, got, tt.want)
		}
	}
}

func TestFingerprintForm(t *testing.T) {
	got := fingerprint(request("POST", "/orders?a=1", "text/plain"), []byte("body"))
	if !regexp.MustCompile(`^1:[0-9A-Za-z_-]{43}$`).MatchString(got) {
		t.Errorf("%q can't stand in a claim", got)
	}
}

// Every pair differs in one thing that makes it another request.
func TestFingerprintTellsApart(t *testing.T) {
	type req struct{ method, target, contentType, body string }
	for name, tt := range map[string][2]req{
		"method":                 {{"POST", "/a", "t/x", "b"}, {"PATCH", "/a", "t/x", "b"}},
		"path":                   {{"POST", "/a", "t/x", "b"}, {"POST", "/b", "t/x", "b"}},
		"trailing slash":         {{"POST", "/a", "t/x", "b"}, {"POST", "/a/", "t/x", "b"}},
		"escaped slash":          {{"POST", "/a%2Fb", "t/x", "b"}, {"POST", "/a/b", "t/x", "b"}},
		"query":                  {{"POST", "/a?q=1", "t/x", "b"}, {"POST", "/a?q=2", "t/x", "b"}},
		"query there":            {{"POST", "/a?q", "t/x", "b"}, {"POST", "/a", "t/x", "b"}},
		"pair twice":             {{"POST", "/a?q=1&q=1", "t/x", "b"}, {"POST", "/a?q=1", "t/x", "b"}},
		"pair thrice":            {{"POST", "/a?q=1&q=1&r=1", "t/x", "b"}, {"POST", "/a?q=1&r=1&r=1", "t/x", "b"}},
		"query undecoded":        {{"POST", "/a?q=%41", "t/x", "b"}, {"POST", "/a?q=A", "t/x", "b"}},
		"escaped ampersand":      {{"POST", "/a?q=1%26r=2", "t/x", "b"}, {"POST", "/a?q=1&r=2", "t/x", "b"}},
		"value to another name":  {{"POST", "/a?q=1&r=2", "t/x", "b"}, {"POST", "/a?q=2&r=1", "t/x", "b"}},
		"media type":             {{"POST", "/a", "t/x", "b"}, {"POST", "/a", "t/y", "b"}},
		"media type there":       {{"POST", "/a", "t/x", "b"}, {"POST", "/a", "", "b"}},
		"body":                   {{"POST", "/a", "t/x", "b"}, {"POST", "/a", "t/x", "c"}},
		"body case":              {{"POST", "/a", "t/x", "b"}, {"POST", "/a", "t/x", "B"}},
		"method to path":         {{"POST", "/a", "t/x", "b"}, {"POST/", "a", "t/x", "b"}},
		"path to method":         {{"POS", "T/a", "t/x", "b"}, {"POST", "/a", "t/x", "b"}},
		"path to query":          {{"POST", "/ab", "t/x", "b"}, {"POST", "/a?b", "t/x", "b"}},
		"query to media type":    {{"POST", "/a?qt", "/x", "b"}, {"POST", "/a?q", "t/x", "b"}},
		"media type to body":     {{"POST", "/a", "t/xb", "b"}, {"POST", "/a", "t/x", "bb"}},
		"media type all to body": {{"POST", "/a", "t/x", ""}, {"POST", "/a", "", "t/x"}},
		"query all to path":      {{"POST", "/a?b", "t/x", "b"}, {"POST", "/ab", "t/x", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			var prints [2]string
			for i, q := range tt {
				path, query, _ := strings.Cut(q.target, "?")
				u := &url.URL{Path: path, RawQuery: query}
				if plain, err := url.PathUnescape(path); err != nil {
					t.Fatal(err)
				} else if plain != path {
					u.Path, u.RawPath = plain, path
				}
				r := &http.Request{Method: q.method, URL: u, Header: http.Header{}}
				if q.contentType != "" {
					r.Header.Set("Content-Type", q.contentType)
				}
				prints[i] = fingerprint(r, []byte(q.body))
			}
			if prints[0] == prints[1] {
				t.Errorf("%q and %q have one fingerprint", tt[0], tt[1])
			}
		})
	}
}

func TestFingerprintIgnores(t *testing.T) {
	many := "/a?"
	var reversed []string
	for c := 'z'; c >= 'a'; c-- { // more pairs than fit the stack
		reversed = append(reversed, string(c)+"=1")
		many += string('a'+'z'-c) + "=1&"
	}
	many = strings.TrimSuffix(many, "&")
	for name, tt := range map[string][2]*http.Request{
		"pair order":  {request("POST", "/a?b=2&a=1&b=1", "t/x"), request("POST", "/a?b=1&b=2&a=1", "t/x")},
		"many pairs":  {request("POST", many, "t/x"), request("POST", "/a?"+strings.Join(reversed, "&"), "t/x")},
		"parameters":  {request("POST", "/a", "text/plain; charset=utf-8"), request("POST", "/a", "text/plain")},
		"type case":   {request("POST", "/a", "Application/JSON"), request("POST", "/a", "application/json")},
		"type spaces": {request("POST", "/a", " text/plain\t;x=1"), request("POST", "/a", "text/plain")},
		"host":        {request("POST", "http://a.example/a", "t/x"), request("POST", "http://b.example/a", "t/x")},
	} {
		if a, b := fingerprint(tt[0], []byte("b")), fingerprint(tt[1], []byte("b")); a != b {
			t.Errorf("%s: %s and %s differ", name, a, b)
		}
	}
	r := request("POST", "/a", "t/x")
	if fingerprint(r, nil) != fingerprint(r, []byte{}) {
		t.Error("no body and an empty one differ")
	}
}

// A state that comes back from the pool must bring nothing along.
func TestFingerprintStartsAfresh(t *testing.T) {
	r := request("POST", "/orders", "application/json")
	want := fingerprint(r, []byte("{}"))
	fingerprint(request("PATCH", "/other?"+strings.Repeat("a&", maxHead), "text/plain"), bytes.Repeat([]byte("x"), 1<<16))
	if got := fingerprint(r, []byte("{}")); got != want {
		t.Errorf("got %s, then %s", want, got)
	}
}

func TestFingerprintAllocates(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 1<<10)
	for _, target := range []string{"/orders", "/orders?b=2&a=1", "/orders/7%2F8"} {
		r := request("POST", target, "application/json; charset=utf-8")
		if n := testing.AllocsPerRun(200, func() { fingerprint(r, body) }); n > 4 {
			t.Errorf("%s: %v allocations, want at most 4", target, n)
		}
	}
}

func BenchmarkFingerprint1KiB(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1<<10)
	for name, target := range map[string]string{"plain": "/v1/orders", "query": "/v1/orders?expand=customer&b=2&a=1"} {
		r := request("POST", target, "application/json; charset=utf-8")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				fingerprint(r, body)
			}
		})
	}
}

var secretA, secretB = []byte("0123456789abcdef"), []byte("fedcba9876543210")

// As TestFingerprintGolden, with fields: no deployment may meet a fingerprint that it can't tell.
func TestFingerprintWithFieldsGolden(t *testing.T) {
	r := request("POST", "/orders", "application/json")
	r.Header.Set("Stripe-Account", "acct_1")
	body := []byte(`{"amount":100,"sent":"now"}`)
	for name, tt := range map[string]struct {
		cfg  Fingerprint
		want string
	}{
		"JSON": {Fingerprint{CanonicalJSON: true},
			"1:t7x32vwNnVgCo-emP05zrLY9fRAeflnhGp8ftnurMmI.BYRXrlTh:t7x32vwNnVgCo-emP05zrLY9fRAeflnhGp8ftnurMmI"},
		"omit": {Fingerprint{Omit: []string{"/sent"}},
			"1:t7x32vwNnVgCo-emP05zrLY9fRAeflnhGp8ftnurMmI.-EHUWhJo:0s-I-uBWmmbY5WZTMlm-z0okwIKU_tbO_A205f4QqYI"},
		"header": {Fingerprint{Headers: []string{"stripe-account"}},
			"1:t7x32vwNnVgCo-emP05zrLY9fRAeflnhGp8ftnurMmI.5fCjdvd2:09qonJ-m5UpxwvYmQYLonAIWvjW_QaXRTtXCQb4G284"},
		"key": {Fingerprint{Keys: [][]byte{secretA}},
			"1-p4WBuV8b:LOfF4S7WTkK4b2FPZJ6RjWzPGTAhVvGmuEeqFv_2edo"},
		"all": {Fingerprint{CanonicalJSON: true, Omit: []string{"/sent"}, Headers: []string{"Stripe-Account"}, Keys: [][]byte{secretA, secretB}},
			"1-p4WBuV8b:LOfF4S7WTkK4b2FPZJ6RjWzPGTAhVvGmuEeqFv_2edo.88qMwHd6:V9VvEAuW1hVPDfQwSLoKlRjVxo-XF3ifUt-hsO0XtqQ"},
	} {
		got := newFingerprinter(tt.cfg).of(r, body).String()
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
		if len(got) > 128 || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%s: %q can't stand in a claim", name, got)
		}
	}
}

// Fingerprints of release 0.1, whose fields had other names: retries of the same bytes are known by
// the base.
func TestFingerprintsOfOlderFields(t *testing.T) {
	body := []byte(`{"amount":100,"sent":"now"}`)
	for known, cfg := range map[string]Fingerprint{
		"1:t7x32vwNnVgCo-emP05zrLY9fRAeflnhGp8ftnurMmI.DqyQD_gE:t7x32vwNnVgCo-emP05zrLY9fRAeflnhGp8ftnurMmI": {CanonicalJSON: true},
		"1:t7x32vwNnVgCo-emP05zrLY9fRAeflnhGp8ftnurMmI.S_v0KFJQ:0s-I-uBWmmbY5WZTMlm-z0okwIKU_tbO_A205f4QqYI": {Omit: []string{"/sent"}},
		"1:t7x32vwNnVgCo-emP05zrLY9fRAeflnhGp8ftnurMmI._ee4jV13:09qonJ-m5UpxwvYmQYLonAIWvjW_QaXRTtXCQb4G284": {Headers: []string{"Stripe-Account"}},
	} {
		r := request("POST", "/orders", "application/json")
		r.Header.Set("Stripe-Account", "acct_1")
		if same, err := newFingerprinter(cfg).of(r, body).same(known); !same || err != nil {
			t.Errorf("%s: got %v, %v", known, same, err)
		}
		if same, err := newFingerprinter(cfg).of(r, []byte(`{"amount":999}`)).same(known); same || err != nil {
			t.Errorf("%s: another body: got %v, %v", known, same, err)
		}
	}
}

// White space around a header's value is no part of it: HTTP/2 leaves it there, HTTP/1 doesn't.
func TestFingerprintTrimsHeaders(t *testing.T) {
	prints := newFingerprinter(Fingerprint{Headers: []string{"X-A"}})
	with := func(values ...string) string {
		r := request("POST", "/", "")
		r.Header["X-A"] = values
		return prints.of(r, nil).String()
	}
	if with("a b") != with(" \ta b ") || with("") != with(" ") {
		t.Error("white space tells requests apart")
	}
	for _, other := range [][]string{{}, {"a", "b"}, {"b", "a"}, {"a  b"}, {"\u00a0a b"}, {"A b"}, {""}} {
		if with(other...) == with("a b") {
			t.Errorf("%q is as a b", other)
		}
	}
}

// What is one request and what another, when those who ask and those who asked first had one
// configuration or two.
func TestFingerprintSame(t *testing.T) {
	type req struct{ body, account string }
	first := req{`{"amount":100,"sent":1}`, "a"}
	var (
		again   = first
		spelled = req{`{ "sent":1, "amount":1e2 }`, "a"}
		later   = req{`{"amount":100,"sent":2}`, "a"}
		other   = req{`{"amount":999,"sent":1}`, "a"}
		account = req{first.body, "b"}
	)
	var (
		plain   = Fingerprint{}
		json    = Fingerprint{CanonicalJSON: true}
		omit    = Fingerprint{Omit: []string{"/sent"}}
		header  = Fingerprint{Headers: []string{"Account"}}
		keyed   = Fingerprint{Keys: [][]byte{secretA}}
		rotated = Fingerprint{Keys: [][]byte{secretB, secretA}}
		both    = Fingerprint{Omit: []string{"/sent"}, Keys: [][]byte{secretA}}
		swapped = Fingerprint{Omit: []string{"/sent"}, Keys: [][]byte{secretB, secretA}}
	)
	for name, tt := range map[string]struct {
		then, now Fingerprint
		same      []req
		others    []req
	}{
		"zero value":             {plain, plain, []req{again, account}, []req{spelled, later, other}},
		"JSON":                   {json, json, []req{again, spelled, account}, []req{later, other}},
		"omit":                   {omit, omit, []req{again, spelled, later, account}, []req{other}},
		"header":                 {header, header, []req{again}, []req{spelled, later, other, account}},
		"keyed":                  {keyed, keyed, []req{again}, []req{spelled, other}},
		"JSON is switched on":    {plain, json, []req{again}, []req{spelled, other}},
		"JSON is switched off":   {json, plain, []req{again}, []req{spelled, other}},
		"omit grows":             {json, omit, []req{again}, []req{spelled, later, other}},
		"a header is added":      {plain, header, []req{again, account}, []req{other}},
		"a key is set":           {plain, keyed, []req{again}, []req{other}},
		"a key is added":         {keyed, rotated, []req{again}, []req{other}},
		"a key, and fields":      {omit, both, []req{again, spelled, later}, []req{other}},
		"a key is added, fields": {both, swapped, []req{again, spelled, later}, []req{other}},
	} {
		made, checks := newFingerprinter(tt.then), newFingerprinter(tt.now)
		make := func(q req) *http.Request {
			r := request("POST", "/orders", "application/json")
			r.Header.Set("Account", q.account)
			return r
		}
		known := made.of(make(first), []byte(first.body)).String()
		for _, q := range append(tt.same, tt.others...) {
			want := slices.Contains(tt.same, q)
			if got, err := checks.of(make(q), []byte(q.body)).same(known); got != want || err != nil {
				t.Errorf("%s: %+v: got %v, %v, want %v", name, q, got, err, want)
			}
		}
	}
}

// The hashes of a request are made once. Only a key that is not the first one's costs more, and no
// body is put into its canonical form twice.
func TestReusedKeyCostsNoMore(t *testing.T) {
	body := fmt.Appendf(nil, `{"b":%q,"a":1}`, strings.Repeat("x", 1<<20))
	r := request("POST", "/", "application/json")
	for name, cfg := range map[string]Fingerprint{"raw": {}, "JSON": {CanonicalJSON: true}, "Omit": {Omit: []string{"/a"}},
		"keyed": {CanonicalJSON: true, Keys: [][]byte{secretA, secretB}}} {
		prints := newFingerprinter(cfg)
		others := []*identity{prints.of(r, []byte("{}"))}
		if len(cfg.Keys) > 0 {
			older := newFingerprinter(Fingerprint{CanonicalJSON: true, Keys: [][]byte{secretB}})
			others = append(others, older.of(r, []byte("{}")))
		}
		for _, other := range others {
			id, known := prints.of(r, body), other.String()
			if bytes, _ := leastAllocated(func() {
				if same, err := id.same(known); same || err != nil {
					t.Errorf("%s: got %v, %v", name, same, err)
				}
			}); bytes > 64<<10 {
				t.Errorf("%s: a reused key takes %d bytes", name, bytes)
			}
		}
	}
}

func TestFingerprintForeign(t *testing.T) {
	r := request("POST", "/orders", "application/json")
	keyed := newFingerprinter(Fingerprint{Keys: [][]byte{secretA}}).of(r, nil).String()
	for _, known := range []string{keyed, strings.Replace(fingerprint(r, nil), "1:", "2:", 1), "12:anything"} {
		if same, err := newFingerprinter(Fingerprint{Keys: [][]byte{secretB}}).of(r, nil).same(known); same || err == nil {
			t.Errorf("%s: got %v, %v, want that it can't be told", known, same, err)
		}
	}
	// Somebody else's, such as a job's, but surely no other version's: another request, for good.
	for _, known := range []string{"", "junk", ":", "job-7:x", "1-:x", "1-short:x", "a:b", "1", "1:", "1:.", "1:junk.junk:junk"} {
		if same, err := newFingerprinter(Fingerprint{}).of(r, nil).same(known); same || err != nil {
			t.Errorf("%s: got %v, %v", known, same, err)
		}
	}
}

// A caller may wipe its secrets, and change its lists, when New has returned.
func TestConfigIsCopied(t *testing.T) {
	secret, methods := bytes.Clone(secretA), append(make([]string, 0, 4), "POST", "PATCH")
	engine, err := replay.New(redis.NewClient(&redis.Options{}), replay.Config{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(engine, Config{Scope: GlobalScope, Methods: methods, Fingerprint: Fingerprint{Keys: [][]byte{secret}}})
	if err != nil {
		t.Fatal(err)
	}
	adds := func(m string) *Adapter {
		r, err := a.Route(func(c *Config) { c.Methods = append(c.Methods, m) })
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	put, _ := adds("PUT"), adds("DELETE")
	if want := []string{"POST", "PATCH", "PUT"}; !slices.Equal(put.cfg.Methods, want) {
		t.Errorf("a route takes %v, want %v", put.cfg.Methods, want)
	}
	_, _ = a.Route(func(c *Config) { c.Methods[0] = "DELETE" })
	clear(secret)
	methods[1] = "DELETE"
	if want := []string{"POST", "PATCH"}; !slices.Equal(a.cfg.Methods, want) {
		t.Errorf("takes %v, want %v", a.cfg.Methods, want)
	}
	r := request("POST", "/", "")
	if got, want := a.fingerprinter.of(r, nil).String(), newFingerprinter(Fingerprint{Keys: [][]byte{secretA}}).of(r, nil).String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Whatever stands in Redis: it is of a request if an adapter made it of that very request, and of
// no other.
func FuzzKnownFingerprint(f *testing.F) {
	r := request("POST", "/orders", "application/json")
	r.Header.Set("X-A", "a")
	body := []byte(`{"b":1,"a":2}`)
	configs := []Fingerprint{{}, {CanonicalJSON: true}, {Headers: []string{"X-A"}}, {CanonicalJSON: true, Keys: [][]byte{secretA}}, {Keys: [][]byte{secretB, secretA}}}
	var ids []*identity
	var hashes []string // of this request, by any of them
	for _, cfg := range configs {
		id := newFingerprinter(cfg).of(r, body)
		for i := range id.fingerprinter.hashers {
			hashes = append(hashes, id.baseBy(&id.fingerprinter.hashers[i]), id.ownBy(&id.fingerprinter.hashers[i]))
		}
		ids = append(ids, id)
		f.Add(id.String())
		f.Add(strings.Replace(id.String(), "1", "2", 1))
	}
	for _, s := range []string{"", "-", "1:", "1-", "1-:", ":", "1:.:", "0123456789abcdef", "1-p4WBuV8b:.", "99999999999999999999:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, known string) {
		for _, id := range ids {
			same, err := id.same(known)
			if again, errAgain := id.same(known); again != same || errAgain != err {
				t.Errorf("%q: first %v, %v, then %v, %v", known, same, err, again, errAgain)
			}
			if same && !slices.ContainsFunc(hashes, func(h string) bool { return strings.Contains(known, h) }) {
				t.Errorf("%q is taken for a request whose hash it does not have", known)
			}
			if err != nil && (same || !regexp.MustCompile(`^[0-9]+(-[0-9A-Za-z_-]{8})?:`).MatchString(known)) {
				t.Errorf("%q: got %v, %v, want that it is another request", known, same, err)
			}
			if id.String() == known && !same {
				t.Errorf("%q is not its own", known)
			}
		}
	})
}

func (f *fingerprinter) of(r *http.Request, body []byte) *identity {
	id := new(identity)
	id.set(f, r, body)
	return id
}
