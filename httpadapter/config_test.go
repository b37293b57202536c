package httpadapter

import (
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/replay"
)

func TestConfigDefaults(t *testing.T) {
	got := Config{}.WithDefaults()
	if got.Logger == nil {
		t.Error("no logger")
	}
	got.Logger = nil
	want := Config{
		Dialect: dialect.Problem{}, Methods: []string{"POST", "PATCH"}, Headers: []string{"Idempotency-Key"}, Syntax: dialect.Lenient,
		MaxBody: 1 << 20, MaxResponse: 1 << 20, RetryAfter: time.Second, Stores: StoreAsDialect,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfigDefaultsLeaveWhatIsSet(t *testing.T) {
	set := Config{
		Dialect: strictDialect{}, DialectName: "x", RequireKey: true, Methods: []string{"PUT"}, Headers: []string{"X-Key"}, Syntax: dialect.Raw(10),
		MaxBody: 1, MaxResponse: 2, RetryAfter: 3 * time.Second, OnStoreDown: replay.RunUnguarded, Stores: StoreAll,
		TTL2xx: time.Minute, AllowHeaders: []string{"Age"}, DenyHeaders: []string{"X-A"}, DocURL: "https://x", Logger: slog.New(slog.DiscardHandler),
	}
	if got := set.WithDefaults(); !reflect.DeepEqual(got, set) {
		t.Errorf("got  %+v\nwant %+v", got, set)
	}
}

type strictDialect struct{ dialect.Problem }

func (strictDialect) Syntax() dialect.KeySyntax { return dialect.Strict }

func TestConfigSyntaxFollowsTheDialect(t *testing.T) {
	if got := (Config{Dialect: strictDialect{}}).WithDefaults().Syntax; got != dialect.Strict {
		t.Errorf("got %+v", got)
	}
	if got := (Config{Dialect: strictDialect{}, Syntax: dialect.Raw(5)}).WithDefaults().Syntax; got != dialect.Raw(5) {
		t.Errorf("got %+v", got)
	}
}

func TestConfigValidate(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"a dialect that there is not", Config{DialectName: "klingon"}, []string{`DialectName: got "klingon", want one of problem, ietf, credicorp, bluesnap, stripe`}},
		{"a dialect of one's own", Config{Dialect: dialect.Problem{TypeBase: "x"}, DialectName: "own"}, nil},
		{"methods that are safe", Config{Methods: []string{"GET", "POST", "HEAD", "OPTIONS", "TRACE"}},
			[]string{`Methods: got "GET", want methods in upper case other than GET, HEAD, OPTIONS and TRACE, each once`, "Methods", "Methods", "Methods"}},
		{"methods that are no methods of ours in lower case", Config{Methods: []string{"post", "get", "Patch", "PUT"}},
			[]string{`Methods: got "post", want methods in upper case other than`, `Methods: got "get"`, `Methods: got "Patch"`}},
		{"a method of one's own", Config{Methods: []string{"VERSION-CONTROL"}}, nil},
		{"a method twice", Config{Methods: []string{"POST", "POST"}}, []string{`Methods: got "POST"`}},
		{"a method that is none", Config{Methods: []string{"", "P T"}}, []string{`Methods: got ",P T"`, `Methods: got "P T"`}},
		{"header names that are none", Config{Headers: []string{"", "a:b", "é"}}, []string{`Headers: got ",a:b,é"`, `Headers: got "a:b", want names of request headers`, "Headers"}},
		{"headers that no handler finds", Config{Headers: []string{"host", "Transfer-Encoding", "trailer", "TE", "X-*"}}, []string{`Headers: got "host", want names of request headers other than Host`, "Headers", "Headers", "Headers", "Headers"}},
		{"one header in two spellings", Config{Headers: []string{"X-Key", "x-key"}}, []string{`Headers: got "x-key"`}},
		{"the least", Config{MaxBody: 1, MaxResponse: 1, RetryAfter: time.Second, TTL2xx: time.Second}, nil},
		{"the most", Config{MaxBody: 256 << 20, MaxResponse: 256 << 20, RetryAfter: 30 * time.Second, TTL2xx: 87600 * time.Hour}, nil},
		{"less than the least", Config{MaxBody: -1, MaxResponse: -1, RetryAfter: time.Second - 1, TTL2xx: 1, TTL3xx: -1, TTL4xx: time.Second - 1, TTL5xx: -time.Hour},
			[]string{`MaxBody: got "-1", want a size from 1 to 256MiB`, "MaxResponse", `RetryAfter: got "999.999999ms", want 1s to 30s`, `TTL2xx: got "1ns", want 1s to 87600h`, "TTL3xx", "TTL4xx", "TTL5xx"}},
		{"more than the most", Config{MaxBody: 256<<20 + 1, MaxResponse: 256<<20 + 1, RetryAfter: 30*time.Second + 1, TTL5xx: 87600*time.Hour + 1},
			[]string{"MaxBody", "MaxResponse", "RetryAfter", "TTL5xx"}},
		{"policies that there are not", Config{OnAbandoned: "4", OnFailure: "run", OnStoreDown: "answer", Stores: "5xx"},
			[]string{`OnAbandoned: got "4", want one of run, refuse, reconcile`, "OnFailure", "OnStoreDown", "Stores"}},
		{"no wait, and the longest", Config{Wait: replay.NoWait, PreferWait: time.Hour}, nil},
		{"waits that are none", Config{Wait: -2, PreferWait: -1}, []string{`Wait: got "-2ns", want 0 to 1h, or off`, `PreferWait: got "-1ns", want 0 to 1h`}},
		{"waits too long", Config{Wait: time.Hour + 1, PreferWait: time.Hour + 1}, []string{"Wait", "PreferWait"}},
		{"fingerprints of what there is not", Config{Fingerprint: Fingerprint{Omit: []string{"a", "/~"}, Headers: []string{"host"}, Keys: [][]byte{[]byte("0123456789abcde")}}},
			[]string{`Fingerprint.Omit: got "a", want JSON pointers such as /client/sent_at`, "Fingerprint.Omit", `Fingerprint.Headers: got "host", want names of request headers other than Host`, `Fingerprint.Keys: got "15 bytes", want secrets of at least 16 bytes`}},
		{"fingerprints of one thing twice", Config{Fingerprint: Fingerprint{Omit: []string{"/a", "/A", "/a"}, Headers: []string{"X-A", "x-a"}, Keys: [][]byte{secretA, secretA}}},
			[]string{`Fingerprint.Omit: got "/a"`, `Fingerprint.Headers: got "x-a"`, `Fingerprint.Keys: got "16 bytes", want secrets of at least 16 bytes, each once`}},
		{"pointers that point to nothing", Config{Fingerprint: Fingerprint{Omit: []string{"", "/a ", " /b", "/\xff"}}}, []string{`Fingerprint.Omit: got ",/a , /b,`, `Fingerprint.Omit: got "/a "`, `Fingerprint.Omit: got " /b"`, "Fingerprint.Omit"}},
		{"a document that is nowhere", Config{DocURL: "/docs"}, []string{`DocURL: got "/docs", want an absolute URL`}},
		{"a document that breaks its header", Config{DocURL: "https://x/>; rel=next"}, []string{"DocURL"}},
		{"a document that is no URL", Config{DocURL: "http://[::1"}, []string{"DocURL"}},
		{"allowed, and made anew", Config{AllowHeaders: []string{"Content-Length"}}, []string{`AllowHeaders: got "Content-Length", want header names that aren't made anew`}},
		{"allowed, and a marker of a dialect not in use", Config{AllowHeaders: []string{"idempotent-replayed"}}, []string{`AllowHeaders: got "idempotent-replayed", want header names that aren't made anew`}},
		{"allowed and no name", Config{AllowHeaders: []string{"a b"}}, []string{"AllowHeaders"}},
		{"denied and no name", Config{DenyHeaders: []string{"a b"}}, []string{"DenyHeaders"}},
		{"both, and no names", Config{AllowHeaders: []string{"a b"}, DenyHeaders: []string{"c d"}}, []string{"AllowHeaders", `DenyHeaders: got "c d", want header names`}},
		{"an asterisk that stands for nothing", Config{AllowHeaders: []string{"X-*-A"}, DenyHeaders: []string{"*-Secret", "X-**"}}, []string{`AllowHeaders: got "X-*-A"`, `DenyHeaders: got "*-Secret"`, `DenyHeaders: got "X-**"`}},
		{"only what is allowed", Config{AllowHeaders: []string{"X-A", "X-B-*"}, DenyHeaders: []string{"*"}}, nil},
		{"answers' headers twice", Config{AllowHeaders: []string{"X-A", "x-a"}, DenyHeaders: []string{"X-B-*", "x-b-*", "X-B-C"}}, []string{`AllowHeaders: got "x-a"`, `DenyHeaders: got "x-b-*"`}},
		{"beginnings allowed and denied", Config{AllowHeaders: []string{"X-A-*"}, DenyHeaders: []string{"x-a-*"}}, []string{`DenyHeaders: got "x-a-*", want header names that aren't allowed (see AllowHeaders)`}},
		{"allowed and denied", Config{AllowHeaders: []string{"X-A"}, DenyHeaders: []string{"x-a"}}, []string{`DenyHeaders: got "x-a", want header names that aren't allowed (see AllowHeaders)`}},
	} {
		t.Run(tc.name, func(t *testing.T) { wantFaults(t, tc.cfg.Validate(), tc.want) })
	}
}

// wantFaults checks that err is made of these faults, each a *ConfigError that begins as given.
func wantFaults(t *testing.T, err error, want []string) {
	t.Helper()
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
	}
	if len(got) != len(want) {
		t.Fatalf("got %d faults:\n%v\nwant %q", len(got), err, want)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) || !strings.Contains(got[i], "want ") {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
	if _, ok := errors.AsType[*ConfigError](err); err != nil && !ok {
		t.Errorf("got %T, want a *ConfigError", err)
	}
}

func TestFromEnv(t *testing.T) {
	got, err := FromEnv("X_", []string{
		"X_HTTP_DIALECT=stripe", "X_HTTP_REQUIRE_KEY=true", "X_HTTP_METHODS=POST,PUT", "X_HTTP_KEY_HEADERS=Idempotency-Key,X-Key",
		"X_HTTP_KEY_SYNTAX=strict", "X_HTTP_MAX_BODY=2MiB", "X_HTTP_MAX_RESPONSE=512KiB", "X_HTTP_RETRY_AFTER=5s", "X_HTTP_ON_STORE_DOWN=run",
		"X_HTTP_PREFER_WAIT=20s", "X_HTTP_FINGERPRINT_JSON=true", "X_HTTP_FINGERPRINT_OMIT=/a,/b/c", "X_HTTP_FINGERPRINT_MULTIPART=true", "X_HTTP_FINGERPRINT_HEADERS=X-A",
		"X_HTTP_FINGERPRINT_KEYS=MDEyMzQ1Njc4OWFiY2RlZg==", "X_HTTP_STORES=success", "X_REPLAY_TTL_2XX=1h", "X_REPLAY_TTL_3XX=2h", "X_REPLAY_TTL_4XX=3h", "X_REPLAY_TTL_5XX=4h",
		"X_HTTP_ALLOW_HEADERS=Age", "X_HTTP_DENY_HEADERS=X-A,X-B-*", "X_HTTP_DOC_URL=https://example.com/docs", "HTTP_STORES=all", "X_HTTP_UNKNOWN=1",
	})
	want := Config{
		DialectName: "stripe", RequireKey: true, Methods: []string{"POST", "PUT"}, Headers: []string{"Idempotency-Key", "X-Key"}, Syntax: dialect.Strict,
		MaxBody: 2 << 20, MaxResponse: 512 << 10, RetryAfter: 5 * time.Second, OnStoreDown: replay.RunUnguarded, Stores: StoreSuccess,
		TTL2xx: time.Hour, TTL3xx: 2 * time.Hour, TTL4xx: 3 * time.Hour, TTL5xx: 4 * time.Hour,
		AllowHeaders: []string{"Age"}, DenyHeaders: []string{"X-A", "X-B-*"}, DocURL: "https://example.com/docs",
		PreferWait:  20 * time.Second,
		Fingerprint: Fingerprint{CanonicalJSON: true, Omit: []string{"/a", "/b/c"}, CanonicalMultipart: true, Headers: []string{"X-A"}, Keys: [][]byte{[]byte("0123456789abcdef")}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	if got, err := FromEnv("X_", nil); err != nil || !reflect.DeepEqual(got, Config{}) {
		t.Errorf("nothing set: got %+v, %v", got, err)
	}
}

// A word that matches nothing, or stands where another was meant, would turn protection off in silence.
func TestFromEnvLists(t *testing.T) {
	for _, variable := range []string{"HTTP_METHODS", "HTTP_KEY_HEADERS", "HTTP_ALLOW_HEADERS", "HTTP_DENY_HEADERS", "HTTP_FINGERPRINT_HEADERS", "HTTP_FINGERPRINT_OMIT"} {
		one, two := "AA", "BB"
		if variable == "HTTP_FINGERPRINT_OMIT" {
			one, two = "/a", "/b"
		}
		if _, err := FromEnv("", []string{variable + "=" + one + "," + two}); err != nil {
			t.Errorf("%s: got %v", variable, err)
		}
		for what, list := range map[string]string{
			"a space": one + ", " + two, "a space at the end": one + " ," + two, "nothing between": one + ",," + two,
			"nothing at the end": one + ",", "nothing at the head": "," + one, "one twice": one + "," + two + "," + one,
		} {
			if _, err := FromEnv("", []string{variable + "=" + list}); err == nil || !strings.Contains(err.Error(), "separated by commas") || !strings.Contains(err.Error(), list) {
				t.Errorf("%s with %s: got %v", variable, what, err)
			}
		}
	}
	for _, list := range []string{"post", "get", "GET", "POST,patch", "Post"} {
		_, err := FromEnv("REPRISE_", []string{"REPRISE_HTTP_METHODS=" + list})
		want := `REPRISE_HTTP_METHODS: got "` + list + `", want methods in upper case other than GET, HEAD, OPTIONS and TRACE, each once, separated by commas`
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v", list, err)
		}
	}
}

func TestFromEnvWords(t *testing.T) {
	for word, want := range map[string]StorePolicy{"dialect": StoreAsDialect, "final": StoreFinal, "success": StoreSuccess, "none-5xx": StoreNon5xx, "all": StoreAll} {
		if c, err := FromEnv("", []string{"HTTP_STORES=" + word}); err != nil || c.Stores != want {
			t.Errorf("%s: got %v, %v", word, c.Stores, err)
		}
	}
	for word, want := range map[string]dialect.KeySyntax{"lenient": dialect.Lenient, "strict": dialect.Strict} {
		if c, err := FromEnv("", []string{"HTTP_KEY_SYNTAX=" + word}); err != nil || c.Syntax != want {
			t.Errorf("%s: got %v, %v", word, c.Syntax, err)
		}
	}
	for word, want := range map[string]replay.StoreDownPolicy{"refuse": replay.Refuse, "run": replay.RunUnguarded} {
		if c, err := FromEnv("", []string{"HTTP_ON_STORE_DOWN=" + word}); err != nil || c.OnStoreDown != want {
			t.Errorf("%s: got %v, %v", word, c.OnStoreDown, err)
		}
	}
}

func TestFromEnvTellsAllFaults(t *testing.T) {
	_, err := FromEnv("X_", []string{
		"X_HTTP_DIALECT=klingon", "X_HTTP_REQUIRE_KEY=maybe", "X_HTTP_METHODS=GET", "X_HTTP_KEY_HEADERS=a:b", "X_HTTP_KEY_SYNTAX=raw",
		"X_HTTP_MAX_BODY=2MB", "X_HTTP_MAX_RESPONSE=off", "X_HTTP_RETRY_AFTER=1m", "X_HTTP_ON_STORE_DOWN=open", "X_HTTP_STORES=5xx",
		"X_REPLAY_TTL_2XX=1ms", "X_REPLAY_TTL_3XX=off", "X_REPLAY_TTL_4XX=x", "X_REPLAY_TTL_5XX=0", "X_HTTP_ALLOW_HEADERS=Trailer",
		"X_HTTP_DOC_URL=docs", "X_HTTP_PREFER_WAIT=2h", "X_HTTP_FINGERPRINT_JSON=2", "X_HTTP_FINGERPRINT_OMIT=a", "X_HTTP_FINGERPRINT_MULTIPART=yes", "X_HTTP_FINGERPRINT_HEADERS=a:b",
		"X_HTTP_FINGERPRINT_KEYS=c2hvcnQ=",
	})
	want := map[string]string{
		"X_HTTP_DIALECT": "one of problem, ietf, credicorp, bluesnap, stripe", "X_HTTP_REQUIRE_KEY": "true or false", "X_HTTP_METHODS": "other than GET", "X_HTTP_KEY_HEADERS": "names of request headers",
		"X_HTTP_KEY_SYNTAX": "lenient or strict", "X_HTTP_MAX_BODY": "256MiB", "X_HTTP_MAX_RESPONSE": "256MiB", "X_HTTP_RETRY_AFTER": "1s to 30s",
		"X_HTTP_ON_STORE_DOWN": "refuse, run", "X_HTTP_STORES": "dialect, final, success, none-5xx, all", "X_REPLAY_TTL_2XX": "1s", "X_REPLAY_TTL_3XX": "1s",
		"X_REPLAY_TTL_4XX": "duration", "X_REPLAY_TTL_5XX": "duration", "X_HTTP_ALLOW_HEADERS": "header names", "X_HTTP_DOC_URL": "absolute URL",
		"X_HTTP_PREFER_WAIT": "0 to 1h", "X_HTTP_FINGERPRINT_JSON": "true or false", "X_HTTP_FINGERPRINT_OMIT": "JSON pointer", "X_HTTP_FINGERPRINT_HEADERS": "names of request headers", "X_HTTP_FINGERPRINT_MULTIPART": "true or false",
		"X_HTTP_FINGERPRINT_KEYS": "16 bytes",
	}
	lines := strings.Split(err.Error(), "\n")
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, ": ")
		if !strings.Contains(rest, want[name]) || want[name] == "" {
			t.Errorf("%q, want %q in it", line, want[name])
		}
		delete(want, name)
	}
	if len(want) != 0 {
		t.Errorf("not told: %v", want)
	}
}

// No environment makes FromEnv panic, each fault begins with its variable and says what is accepted,
// and what is accepted is valid.
func FuzzFromEnv(f *testing.F) {
	f.Add("POST", "Age", "https://example.com", "strict", "2h", "1MiB")
	f.Add(",", "*", "%", "", "off", "-1")
	f.Add(" GET", "Content-*", "//", "all", "0", "off")
	f.Fuzz(func(t *testing.T, list, names, url, word, duration, size string) {
		c, err := FromEnv("X_", []string{
			"X_HTTP_METHODS=" + list, "X_HTTP_KEY_HEADERS=" + names, "X_HTTP_ALLOW_HEADERS=" + names, "X_HTTP_DENY_HEADERS=" + list,
			"X_HTTP_DOC_URL=" + url, "X_HTTP_DIALECT=" + word, "X_HTTP_KEY_SYNTAX=" + word, "X_HTTP_STORES=" + word, "X_HTTP_ON_STORE_DOWN=" + word,
			"X_HTTP_REQUIRE_KEY=" + word, "X_HTTP_RETRY_AFTER=" + duration, "X_REPLAY_TTL_2XX=" + duration, "X_HTTP_MAX_BODY=" + size,
		})
		if err == nil {
			if err := c.Validate(); err != nil {
				t.Errorf("accepted, but: %v", err)
			}
			if c.DocURL != "" && strings.ContainsAny(http.Header{"Link": {c.DocURL}}.Get("Link"), "<>") {
				t.Errorf("%q can leave its header", c.DocURL)
			}
			return
		}
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			e, ok := e.(*ConfigError)
			if !ok || !strings.HasPrefix(e.Name, "X_") || e.Want == "" {
				t.Errorf("got %#v", e)
			}
		}
	})
}

// The names that an operator can choose from, in every place that has them.
func TestDialectNames(t *testing.T) {
	want := map[string]dialect.Dialect{"": dialect.Problem{}, "problem": dialect.Problem{}, "ietf": dialect.IETF{}, "credicorp": dialect.Credicorp{}, "bluesnap": dialect.BlueSnap{}, "stripe": dialect.Stripe{}}
	for name, d := range want {
		c := Config{DialectName: name}
		if got := c.WithDefaults(); got.Dialect != d || got.Syntax != d.Syntax() || c.Validate() != nil {
			t.Errorf("%q: got %T, %v", name, got.Dialect, c.Validate())
		}
	}
	if got, want := text(Config{DialectName: "klingon"}.Validate()), "one of problem, ietf, credicorp, bluesnap, stripe"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
