package conformance

import (
	"cmp"
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
)

// An outcome is a row of the contract's table of what a server may answer in place of its handler.
type outcome struct {
	name   string // of its golden file
	status int    // by default
	retry  bool   // whether the same request may be sent again: then, and only then, it has Retry-After
}

var (
	keyMissing        = outcome{"key-missing", 400, false}
	keyMalformed      = outcome{"key-malformed", 400, false}
	keyTooLong        = outcome{"key-too-long", 400, false}
	keyRepeated       = outcome{"key-repeated", 400, false}
	bodyTooLarge      = outcome{"body-too-large", 413, false}
	reused            = outcome{"reused", 422, false}
	inProgress        = outcome{"in-progress", 409, true}
	outcomeUnknown    = outcome{"outcome-unknown", 409, false}
	replayUnavailable = outcome{"replay-unavailable", 409, false}
	unavailable       = outcome{"unavailable", 503, true}
)

// A Contract is a dialect's, in one of its forms.
type Contract struct {
	dialect     string // as REPRISE_HTTP_DIALECT has it
	form        string // what its rows are called beside that; empty for the only or first form
	golden      string // directory of its golden files
	accept      string // asks for the form; empty for the first
	contentType string // of errors

	marker string // the header of a replay, and its value; {KEY} stands for the key
	value  string

	wire      string   // a key {KEY} as a client sends it
	longest   int      // characters of the longest key
	malformed []string // what is no key; {KEY} stands for anything
	tooLong   []string // what is one character too long, beside a plain key
	same      []string // other forms of {KEY} that are the same key
	apart     []string // and some that are another

	storesAll bool // answers of every status, 5xx included

	language string // Content-Language of errors
	hint     string // the header that says what x-should-retry says, to the vendor's own SDKs
	words    map[outcome]words
}

// words are what an error has to say.
type words struct {
	status int      // if it is not the outcome's
	body   string   // to the byte, {KEY} standing for the key; empty if the contract leaves words open
	says   []string // what the body then must have: what the contract does not leave open
}

// Contracts are those of a dialect, as REPRISE_HTTP_DIALECT has it, or all if that is empty.
func Contracts(dialect string) []*Contract {
	all := slices.Clone(contracts)
	return slices.DeleteFunc(all, func(c *Contract) bool { return dialect != "" && c.dialect != dialect })
}

// Dialects are the names of all dialects.
func Dialects() []string { return dialects(contracts) }

// dialects are the names of the contracts' dialects, each once.
func dialects(all []*Contract) (names []string) {
	for _, c := range all {
		names = append(names, c.dialect)
	}
	return slices.Compact(names)
}

// Dialect is as REPRISE_HTTP_DIALECT has it.
func (c *Contract) Dialect() string { return c.dialect }

// Label is how a contract's rows begin.
func (c *Contract) Label() string { return strings.TrimSpace(c.dialect + " " + c.form) }

// key puts a key in the form in which the dialect's clients send it.
func (c *Contract) key(key string) string { return strings.ReplaceAll(c.wire, "{KEY}", key) }

// golden are the bytes that the adapter renders, which the tests of package dialect write and read.
//
//go:embed golden
var golden embed.FS

// GoldenPage is the documentation URL of the golden files, and draftPage is what is in its place in
// a body if there is none.
const (
	GoldenPage = "https://api.example.com/docs/idempotency"
	draftPage  = "https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"
)

// render returns the status and the body of an outcome. page is the server's documentation URL, if
// it has one. A golden file without the words of the contract is an error: it is the contract that
// counts.
func (c *Contract) render(o outcome, key, page string) (status int, body string, err error) {
	w := c.words[o]
	status = cmp.Or(w.status, o.status)
	if w.body != "" {
		return status, strings.ReplaceAll(w.body, "{KEY}", key), nil
	}
	name := path.Join("golden", c.golden, o.name+".http")
	file, err := golden.ReadFile(name)
	if err != nil {
		return 0, "", err
	}
	_, body, _ = strings.Cut(string(file), "\n\n")
	for _, s := range w.says {
		if !strings.Contains(body, s) {
			return 0, "", fmt.Errorf("%s: want %s in the body, which the contract gives", name, s)
		}
	}
	return status, strings.ReplaceAll(body, GoldenPage, cmp.Or(page, draftPage)), nil
}

// contracts are in the order of the table. BlueSnap's has two forms.
var contracts = []*Contract{
	{
		dialect: "problem", golden: "problem", contentType: "application/problem+json",
		marker: "Idempotency-Replayed", value: "true",
		wire: "{KEY}", longest: 255,
		malformed: []string{"", `""`, "{KEY},x", "{KEY} x", `"{KEY}`, `{KEY}"`, `"{KEY}"x`, `"{KEY}";`, `"{KEY}\x"`, "{KEY}\xe9"},
		tooLong:   []string{`"` + strings.Repeat("k", 256) + `"`},
		same:      []string{`"{KEY}"`, `"{KEY}";v=1`},
		words:     problemWords,
	},
	{
		dialect: "ietf", golden: "ietf", contentType: "application/problem+json", language: "en",
		marker: "Idempotency-Replayed", value: "true",
		wire: `"{KEY}"`, longest: 255,
		malformed: []string{"", `""`, "{KEY}", "'{KEY}'", `"{KEY}`, `{KEY}"`, `"{KEY}"x`, `"{KEY}", "x"`, "\"{KEY}\xe9\""},
		same:      []string{`"{KEY}";v=1;w="x"`},
		apart:     []string{`"{KEY}\\"`},
		words:     ietfWords,
	},
	{
		dialect: "credicorp", golden: "credicorp", contentType: "application/json",
		marker: "Idempotency-Replayed", value: "true",
		wire: "{KEY}", longest: 255,
		malformed: []string{"", "{KEY} x", "{KEY}\xe9"},
		tooLong:   []string{strings.Repeat("k ", 128) + "k"},
		apart:     []string{`"{KEY}"`, "{KEY},x"},
		words:     credicorpWords,
	},
	{
		dialect: "bluesnap", golden: "bluesnap", contentType: "application/json",
		marker: "Idempotency-Key", value: "{KEY}",
		wire: "{KEY}", longest: 64,
		malformed: []string{"", `"{KEY}"`, "KEY_x", "{KEY},x", "{KEY} x", "{KEY}\xe9"},
		tooLong:   []string{strings.Repeat("_", 65)}, // the length is checked first
		apart:     []string{"{KEY}-", "-{KEY}"},
		words:     bluesnapWords,
	},
	{
		dialect: "bluesnap", form: "XML", golden: "bluesnap-xml", accept: "application/xml", contentType: "application/xml",
		marker: "Idempotency-Key", value: "{KEY}",
		wire: "{KEY}", longest: 64,
		malformed: []string{"", `"{KEY}"`, "KEY_x", "{KEY},x", "{KEY} x", "{KEY}\xe9"},
		tooLong:   []string{strings.Repeat("_", 65)},
		apart:     []string{"{KEY}-", "-{KEY}"},
		words:     bluesnapXMLWords,
	},
	{
		dialect: "stripe", golden: "stripe", contentType: "application/json", hint: "Stripe-Should-Retry",
		marker: "Idempotent-Replayed", value: "true",
		wire: "{KEY}", longest: 255,
		malformed: []string{""}, // whatever a field can hold is a key
		tooLong:   []string{strings.Repeat(`"`, 256)},
		apart:     []string{`"{KEY}"`, "{KEY},x", "{KEY} x"},
		storesAll: true,
		words:     stripeWords,
	},
}
