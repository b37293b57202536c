package dialect

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// Outcome is what became of a request that a server answers itself, without the handler's answer or a stored one.
type Outcome uint8

const (
	KeyMissing        Outcome = iota + 1 // no key on a route that requires one
	KeyMalformed                         // the header is there and holds no key
	KeyTooLong                           // a key longer than the syntax allows
	KeyRepeated                          // several field lines, or accepted headers that disagree
	BodyTooLarge                         // the request's body is over the limit
	Reused                               // the key belongs to another request, answered or still in flight
	InProgress                           // another request holds the key, or took it from this one
	OutcomeUnknown                       // an earlier attempt died, and the policy refuses another
	ReplayUnavailable                    // ran once, and its answer was too large to keep
	Unavailable                          // the store can't be reached
	Unreadable                           // the value under the key is none of ours
	ReplayRefused                        // the caller may not learn of a key that has been used
	ReplayHidden                         // nor even that it has been: httpadapter.Hide
	BodyIncomplete                       // the request's body broke off
	Unscoped                             // nobody knows whose key it is
)

// outcomes is the one place that says of each outcome its code, the status of a dialect that knows no better, and
// whether the same request may be sent again: if so, the answer has Retry-After, and if not, none.
var outcomes = [...]struct {
	code   string
	status int
	retry  bool
}{
	0:                 {"unknown", http.StatusInternalServerError, false},
	KeyMissing:        {"missing", http.StatusBadRequest, false},
	KeyMalformed:      {"invalid", http.StatusBadRequest, false},
	KeyTooLong:        {"invalid", http.StatusBadRequest, false},
	KeyRepeated:       {"invalid", http.StatusBadRequest, false},
	BodyTooLarge:      {"body-too-large", http.StatusRequestEntityTooLarge, false},
	Reused:            {"reused", http.StatusUnprocessableEntity, false},
	InProgress:        {"in-progress", http.StatusConflict, true},
	OutcomeUnknown:    {"outcome-unknown", http.StatusConflict, false},
	ReplayUnavailable: {"replay-unavailable", http.StatusConflict, false},
	Unavailable:       {"unavailable", http.StatusServiceUnavailable, true},
	Unreadable:        {"unreadable", http.StatusInternalServerError, false},
	ReplayRefused:     {"replay-refused", http.StatusForbidden, false},
	ReplayHidden:      {"not-found", http.StatusNotFound, false},
	BodyIncomplete:    {"body-incomplete", http.StatusBadRequest, false},
	Unscoped:          {"unscoped", http.StatusBadRequest, false},
}

// known maps what is no outcome to 0, so that a stray number makes a 500 and not a panic.
func (o Outcome) known() Outcome {
	if int(o) < len(outcomes) {
		return o
	}
	return 0
}

// ParseOutcome returns the outcome of a code such as "in-progress", or 0 for another text. Of the three ways for a key to
// be invalid it returns KeyMalformed.
func ParseOutcome(code string) Outcome {
	for o := Outcome(1); int(o) < len(outcomes); o++ {
		if outcomes[o].code == code {
			return o
		}
	}
	return 0
}

// String returns the outcome's code, which clients may rely on. The three ways for a key to be invalid share one.
func (o Outcome) String() string { return outcomes[o.known()].code }

// Status returns the default status, for a dialect that has no words of its own for the outcome.
func (o Outcome) Status() int { return outcomes[o.known()].status }

// Retryable reports whether the same request, with the same key, may be sent again later.
func (o Outcome) Retryable() bool { return outcomes[o.known()].retry }

// Info is what a [Dialect] may say about an outcome. Fields that have nothing to do with the outcome are zero.
type Info struct {
	Key     string // the key, if it was valid: another must not be echoed
	Header  string // the header field that the key came in or should come in
	Want    string // what would have been accepted, in words, when the key is at fault
	MaxKey  int    // longest key in bytes
	MaxBody int64  // longest request body in bytes

	// RetryAfter is when to send the request again. It is rounded up to whole seconds from 1 to 30.
	RetryAfter time.Duration

	// DocURL is the absolute URL of a page on the API's idempotency; empty if there is none.
	DocURL string

	// Message is what the operator says of the outcome (httpadapter.Config.Message), in place of the dialect's text for
	// people: Problem's detail, the vendors' message or description. Empty leaves the dialect's own words. Codes, types
	// and titles never change.
	Message string

	// RequestID is what the API calls this request; empty if it has no name.
	RequestID string

	// Request lets a dialect choose its form by Accept, its language, or quote a request ID. Its body may have been
	// read, and its header may hold an invalid key: only Key may be said.
	Request *http.Request
}

// A Dialect is an API's own way of talking about idempotency: which keys it accepts, the errors it answers with, how it
// marks a replay, and what it stores. [Problem] is the default. A dialect that differs in some of it embeds another:
//
//	type teapot struct{ dialect.Problem }
//
//	func (teapot) Marker(key string) (name, value string) { return "Teapot-Replayed", "true" }
//
// httpadapter.Config.Dialect takes it, and the example there has one with an error envelope of its own. The methods are
// called concurrently.
type Dialect interface {
	// Syntax returns the keys that are accepted where the configuration names no syntax.
	Syntax() KeySyntax

	// Render returns the answer to an outcome. It must have one for every outcome, later ones included: where it has no
	// words, its own shape with [Outcome.Status]. ReplayHidden is the one that must not tell of idempotency: its Info has
	// the Request alone, its answer gets no header of ours, and a dialect answers as its API does where there is nothing.
	// The ready-made ones answer as http.NotFound does.
	Render(Outcome, Info) Rendering

	// Marker returns the header that marks a replay. The name must not depend on the key: no record keeps it.
	Marker(key string) (name, value string)

	// Stores reports whether answers with a status are stored where the configuration has no rule. What is not stored
	// may run again.
	Stores(status int) bool
}

// A ReplayDialect is a [Dialect] that has more to say of a replay than its marker. [Stripe] is one.
type ReplayDialect interface {
	Dialect

	// MarkReplay adds to the header of a replay, beside the marker. It must not set what a record keeps.
	MarkReplay(status int, header http.Header)
}

// A Rendering is an error answer, but for the headers that are the same in all dialects: Retry-After, x-should-retry,
// Cache-Control, X-Content-Type-Options and Content-Length are written by httpadapter, whatever Header has, and its Link
// is added. Of these, ReplayHidden has Content-Length alone.
type Rendering struct {
	Status      int         // zero means the outcome's default
	ContentType string      // of Body
	Header      http.Header // further headers; may be nil
	Body        []byte
}

// notFound is the answer of http.NotFound, which any server in Go gives for any path that it has not.
func notFound() Rendering {
	return Rendering{
		Status:      http.StatusNotFound,
		ContentType: "text/plain; charset=utf-8",
		Header:      http.Header{"X-Content-Type-Options": {"nosniff"}},
		Body:        []byte("404 page not found\n"),
	}
}

// IsFinal reports whether an answer is final: a success, a redirect, or an error that the same request would
// meet again. Statuses that tell of a passing state, of the caller's rights or of this server's trouble are not.
func IsFinal(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusMisdirectedRequest, http.StatusLocked, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return 200 <= status && status < 500
}

// encodeJSON renders a struct, whose fields stand in order, without HTML escaping and without a newline at the end: on
// one line, or on several if there is an indent.
func encodeJSON(v any, indent string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		panic("dialect: " + err.Error()) // a struct of strings, numbers and booleans always encodes
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
