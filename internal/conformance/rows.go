package conformance

import (
	"net/http"
	"strings"
)

// A Row is one promise of the table, for every dialect.
type Row struct {
	Name  string
	Under *Setting // of the server; nil means the usual

	needs   []string // X-Demo headers
	tenants bool     // whether it is about several
	only    string   // the dialect that it is about; empty means all
	ask     func(*visit)
}

func (r Row) about(c *Contract) bool {
	return r.only == "" || r.only == c.dialect && c.form == "" // it asks for the other forms itself
}

var rows = []Row{
	{Name: "key missing", ask: askMissing},
	{Name: "key malformed", ask: askMalformed},
	{Name: "key too long", ask: askTooLong},
	{Name: "key in several field lines", ask: askRepeated},
	{Name: "an invalid key is not echoed", ask: askEcho},
	{Name: "forms of one key", ask: askForms},
	{Name: "body over the limit", ask: askLargeBody},
	{Name: "form by Accept, then Content-Type", only: "bluesnap", ask: askForm},
	{Name: "methods that don't take part", ask: askMethods},
	{Name: "done", ask: askDone},
	{Name: "what is the same request", ask: askSame},
	{Name: "another tenant's key", tenants: true, ask: askTenants},
	{Name: "reused, done", ask: askReused},
	{Name: "reused, in progress", needs: []string{"X-Demo-Delay"}, ask: askReusedInProgress},
	{Name: "in progress", needs: []string{"X-Demo-Delay"}, ask: askInProgress},
	{Name: "lease lost at commit", needs: []string{"X-Demo-Delay", "X-Demo-Deaf"}, Under: shortLease, ask: askLost},
	{Name: "outcome unknown", needs: []string{"X-Demo-Panic"}, Under: refusing, ask: askUnknown},
	{Name: "replay unavailable", needs: []string{"X-Demo-Body-Size"}, ask: askNotKept},
	{Name: "store unavailable", Under: withoutStore, ask: askUnavailable},
	{Name: "what is stored: final answers", needs: []string{"X-Demo-Status"}, ask: askFinal},
	{Name: "what is stored: 401, 429 and so on", needs: []string{"X-Demo-Status"}, ask: askPassing},
	{Name: "what is stored: 5xx", needs: []string{"X-Demo-Status"}, ask: askFailures},
}

func askMissing(v *visit) {
	v.refused("no key", v.ask(request{}), keyMissing, "")
}

func askMalformed(v *visit) {
	for _, form := range v.malformed {
		key := strings.ReplaceAll(form, "{KEY}", newKey())
		v.refused("key "+quoted(key), v.ask(request{key: []string{key}}), keyMalformed, "")
	}
}

// askTooLong finds the limit from both sides.
func askTooLong(v *visit) {
	longest := newKey()
	longest += strings.Repeat("k", v.longest-len(longest))
	v.fresh("the longest key", v.pay(longest))
	v.refused("one character more", v.pay(longest+"k"), keyTooLong, "")
	for _, key := range v.tooLong {
		v.refused("key "+quoted(key), v.ask(request{key: []string{key}}), keyTooLong, "")
	}
}

// askRepeated: not even two that agree, as a proxy might join them.
func askRepeated(v *visit) {
	a, b := v.key(newKey()), v.key(newKey())
	v.refused("two keys", v.ask(request{key: []string{a, b}}), keyRepeated, "")
	v.refused("one key twice", v.ask(request{key: []string{a, a}}), keyRepeated, "")
	v.fresh("the key alone", v.ask(request{key: []string{a}}))
}

func askEcho(v *visit) {
	secret := newKey()
	sent := [][]string{
		{v.key(secret + strings.Repeat("k", v.longest))},
		{v.key(secret), v.key(secret + "k")},
	}
	for _, form := range v.malformed {
		sent = append(sent, []string{strings.ReplaceAll(form, "{KEY}", secret)})
	}
	for _, key := range sent {
		got := v.ask(request{key: key})
		v.status("key "+quoted(key[0]), got, http.StatusBadRequest)
		var text strings.Builder
		_ = got.header.Write(&text)
		text.WriteString(got.body)
		if strings.Contains(text.String(), secret) {
			v.differ("key "+quoted(key[0]), "answer", "nothing of the key", quoted(text.String()))
		}
	}
}

func askForms(v *visit) {
	key := newKey()
	first := v.pay(key)
	v.fresh("the first form", first)
	for _, form := range v.same {
		wire := strings.ReplaceAll(form, "{KEY}", key)
		v.replays("the same key as "+wire, v.ask(request{key: []string{wire}}), first, key)
	}
	for _, form := range append([]string{v.key(strings.ToLower(key))}, v.apart...) {
		wire := strings.ReplaceAll(form, "{KEY}", key)
		v.fresh("another key, "+wire, v.ask(request{key: []string{wire}}))
	}
	v.replays("the first form again", v.pay(key), first, key)
}

// limit is the longest request body by default, in bytes.
const limit = 1 << 20

func askLargeBody(v *visit) {
	key := newKey()
	large := strings.Repeat(" ", limit+1)
	wire := []string{v.key(key)}
	v.refused("announced", v.ask(request{key: wire, body: large, header: []string{"Expect", "100-continue"}}), bodyTooLarge, key)
	v.refused("not announced", v.ask(request{key: wire, body: large, length: -1}), bodyTooLarge, key)
	v.fresh("the key is not used up", v.pay(key))
}

// askForm sends no key, for an error in one form or the other.
func askForm(v *visit) {
	const inJSON, inXML = "application/json", "application/xml"
	for _, tt := range []struct{ accept, contentType, want string }{
		{"", inJSON, inJSON},
		{"", inXML, inXML},
		{"*/*", inXML, inXML},
		{inJSON, inXML, inJSON},
		{inXML, inJSON, inXML},
		{"application/xml;q=0.5, application/json", inXML, inJSON},
		{"text/html", "text/plain", inJSON},
	} {
		header := []string{"Content-Type", tt.contentType}
		if tt.accept != "" {
			header = append(header, "Accept", tt.accept)
		}
		got := v.target.send(v.ctx, request{header: header})
		for _, c := range contracts {
			if c.dialect == v.dialect && c.contentType == tt.want {
				form := &visit{Contract: c, ctx: v.ctx, target: v.target}
				form.refused("Accept "+quoted(tt.accept)+", Content-Type "+tt.contentType, got, keyMissing, "")
				v.diffs = append(v.diffs, form.diffs...)
			}
		}
	}
}

// askMethods: to a method that doesn't take part, not even a bad key makes a difference.
func askMethods(v *visit) {
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
		without := v.ask(request{method: method})
		for _, key := range []string{v.key(newKey()), ""} {
			with := v.ask(request{method: method, key: []string{key}})
			step := method + " with the key " + quoted(key)
			v.status(step, with, without.status)
			v.unmarked(step, with)
			if with.body != without.body {
				v.differ(step, "body", quoted(without.body), quoted(with.body))
			}
		}
	}
}
