package dialect

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// Info is what a [Dialect] may say about an outcome. Fields that don't matter to the outcome are
// zero.
type Info struct {
	Key     string // the key if it is valid; an invalid one must not be echoed
	Header  string // the header field that has, or should have, the key
	Want    string // what is accepted, in words, if the key is at fault
	MaxKey  int    // the longest key, in bytes
	MaxBody int64  // the longest request body, in bytes

	// RetryAfter says when to send the request again. The answer has it in whole seconds, rounded
	// up, from 1 to 30.
	RetryAfter time.Duration

	// DocURL is the absolute URL of the API's page about idempotency, or empty.
	DocURL string

	// Message is the operator's text about the outcome (httpadapter.Config.Message). It replaces
	// the dialect's text for people: Problem's detail, the vendors' message or description. Empty
	// keeps the dialect's own. Codes, types and titles never change.
	Message string

	// RequestID is the API's identifier of this request, or empty.
	RequestID string

	// Request is for a dialect that chooses its form by Accept or its language, or that quotes a
	// request ID. Its body may have been read, and its header may hold an invalid key: of a key, an
	// answer may quote Key alone.
	Request *http.Request
}

// A Dialect is an API's way of talking about idempotency: which keys it accepts, its errors, how it
// marks a replay, and what it stores. [Problem] is the default. A dialect that differs from another
// embeds it and overrides a method:
//
//	type teapot struct{ dialect.Problem }
//
//	func (teapot) Marker(key string) (name, value string) { return "Teapot-Replayed", "true" }
//
// Set it as httpadapter.Config.Dialect. The example of Dialect has one with an error envelope of
// its own. The methods are called concurrently.
type Dialect interface {
	// Syntax returns the keys that are accepted if the configuration names no syntax.
	Syntax() KeySyntax

	// Render returns the answer to an outcome. It must have one for every outcome, also for those
	// of later releases: if it has no words for one, it answers in its own shape with
	// [Outcome.Status].
	//
	// The answer to ReplayHidden must not tell of idempotency. Its Info has the Request alone, none
	// of the common headers is added, and it should be what the API answers where nothing exists.
	// The ready-made dialects answer like http.NotFound.
	Render(Outcome, Info) Rendering

	// Marker returns the header that marks a replay. Its name must not depend on the key, because
	// records leave it out by name.
	Marker(key string) (name, value string)

	// Stores reports whether answers with a status are stored if the configuration has no rule. A
	// request whose answer is not stored may run again.
	Stores(status int) bool
}

// A ReplayDialect is a [Dialect] that adds more to a replay than a marker. [Stripe] is one.
type ReplayDialect interface {
	Dialect

	// MarkReplay adds headers to a replay, beside the marker. It must not set a header that records
	// keep.
	MarkReplay(status int, header http.Header)
}

// A Rendering is an error answer without the headers that are the same in all dialects. httpadapter
// writes those over whatever Header has: Retry-After, X-Should-Retry, Cache-Control,
// X-Content-Type-Options and Content-Length; and it adds a Link to Info.DocURL. For ReplayHidden it
// writes Content-Length alone.
type Rendering struct {
	Status      int         // zero means Outcome.Status
	ContentType string      // of Body
	Header      http.Header // other headers; may be nil
	Body        []byte
}

// notFound returns the answer of http.NotFound, as any server in Go gives it for an unknown path.
func notFound() Rendering {
	return Rendering{
		Status:      http.StatusNotFound,
		ContentType: "text/plain; charset=utf-8",
		Header:      http.Header{"X-Content-Type-Options": {"nosniff"}},
		Body:        []byte("404 page not found\n"),
	}
}

// IsFinal reports whether an answer with this status is final: a success, a redirect, or an error
// that the same request would get again. Not final are statuses about a temporary state, about the
// caller's rights, and about a failure of the server.
func IsFinal(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusMisdirectedRequest, http.StatusLocked, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return 200 <= status && status < 500
}

// encodeJSON returns the JSON of a struct, its members in the order of the fields, without HTML
// escaping and without a newline at the end. It is on one line unless there is an indent.
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
