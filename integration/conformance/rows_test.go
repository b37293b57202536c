package conformance

import (
	"net/http"
	"strings"
)

// A row is one promise of the table, for every dialect.
type row struct {
	name    string
	needs   []string // X-Demo headers
	under   *setting // of the server; nil means the usual
	tenants bool     // whether it is about several
	only    string   // the dialect that it is about; empty means all
	ask     func(*visit)
}

func (r row) about(c *contract) bool {
	return r.only == "" || r.only == c.dialect && c.form == "" // it asks for the other forms itself
}

var rows = []row{
	{name: "key missing", ask: askMissing},
	{name: "key malformed", ask: askMalformed},
	{name: "key too long", ask: askTooLong},
	{name: "key in several field lines", ask: askRepeated},
	{name: "an invalid key is not echoed", ask: askEcho},
	{name: "forms of one key", ask: askForms},
	{name: "body over the limit", ask: askLargeBody},
	{name: "form by Accept, then Content-Type", only: "bluesnap", ask: askForm},
	{name: "methods that don't take part", ask: askMethods},
	{name: "done", ask: askDone},
	{name: "what is the same request", ask: askSame},
	{name: "another tenant's key", tenants: true, ask: askTenants},
	{name: "reused, done", ask: askReused},
	{name: "reused, in progress", needs: []string{"X-Demo-Delay"}, ask: askReusedInProgress},
	{name: "in progress", needs: []string{"X-Demo-Delay"}, ask: askInProgress},
	{name: "lease lost at commit", needs: []string{"X-Demo-Delay", "X-Demo-Deaf"}, under: shortLease, ask: askLost},
	{name: "outcome unknown", needs: []string{"X-Demo-Panic"}, under: refusing, ask: askUnknown},
	{name: "replay unavailable", needs: []string{"X-Demo-Body-Size"}, ask: askNotKept},
	{name: "store unavailable", under: withoutStore, ask: askUnavailable},
	{name: "what is stored: final answers", needs: []string{"X-Demo-Status"}, ask: askFinal},
	{name: "what is stored: 401, 429 and so on", needs: []string{"X-Demo-Status"}, ask: askPassing},
	{name: "what is stored: 5xx", needs: []string{"X-Demo-Status"}, ask: askFailures},
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
		got := v.target.send(request{header: header})
		for _, c := range contracts {
			if c.dialect == v.dialect && c.contentType == tt.want {
				form := &visit{contract: c, target: v.target}
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
