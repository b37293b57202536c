package dialect

import "net/http"

// An Outcome says why a server answers a request itself, with neither the handler's answer nor a
// stored one.
type Outcome uint8

// Each constant says what happened. Outcome.String has the code, Outcome.Status the default status.
const (
	KeyMissing        Outcome = iota + 1 // the route requires a key, and there is none
	KeyMalformed                         // the header is there, and has no valid key
	KeyTooLong                           // the key is longer than the syntax allows
	KeyRepeated                          // there are several field lines, or headers that disagree
	BodyTooLarge                         // the request's body is over the limit
	Reused                               // the key belongs to another request, done or in progress
	InProgress                           // another request holds the key, or took it from this one
	OutcomeUnknown                       // an earlier attempt died, and the policy refuses another
	ReplayUnavailable                    // the request was carried out, and its answer not stored
	Unavailable                          // Redis can't be reached
	Unreadable                           // the value under the key is none that we wrote
	ReplayRefused                        // the caller may not see the stored answer
	ReplayHidden                         // nor learn that there is one: see httpadapter.Hide
	BodyIncomplete                       // the request's body broke off
	Unscoped                             // nobody knows whose key it is
)

// outcomes has the code of each outcome, its default status, and whether the same request may be
// sent again. Only if it may does the answer have a Retry-After.
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

// known returns o, or 0 if o is no outcome: an unknown number then gives a 500 and not a panic.
func (o Outcome) known() Outcome {
	if int(o) < len(outcomes) {
		return o
	}
	return 0
}

// ParseOutcome returns the outcome with a code such as "in-progress", or 0 for any other text. For
// "invalid", which three outcomes share, it returns KeyMalformed.
func ParseOutcome(code string) Outcome {
	for o := Outcome(1); int(o) < len(outcomes); o++ {
		if outcomes[o].code == code {
			return o
		}
	}
	return 0
}

// String returns the outcome's code, which never changes. KeyMalformed, KeyTooLong and KeyRepeated
// share the code "invalid".
func (o Outcome) String() string { return outcomes[o.known()].code }

// Status returns the default status, for dialects that have none of their own for the outcome.
func (o Outcome) Status() int { return outcomes[o.known()].status }

// Retryable reports whether the same request, with the same key, may be sent again later.
func (o Outcome) Retryable() bool { return outcomes[o.known()].retry }
