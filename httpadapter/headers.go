package httpadapter

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/field"
)

// madeAnew are the response headers that no list can let into a record: they belong to one connection (RFC 9110
// §7.6.1), or net/http makes them for each answer, where a stale Content-Length would cut the body short, or they tell
// generated SDKs whether to send the request again, which of a stored answer is for the dialect to say.
var madeAnew = slices.Concat(field.OfConnection, []string{"X-Should-Retry", "Stripe-Should-Retry", "Retry-After-Ms"})

// notKept are the response headers that a record leaves out unless the allow list names them: they hold for one answer
// at its time, to one caller, or on one way through the network. A trailing asterisk stands for any ending.
var notKept = []string{
	"Proxy-*", "Via", "Alt-Svc",
	"Date", "Age", "Server-Timing",
	"Retry-After", "RateLimit*", "X-RateLimit-*",
	"Set-Cookie", "WWW-Authenticate", "Authentication-Info", "Clear-Site-Data",
	"Traceparent", "Tracestate", "X-Request-Id", "Request-Id",
	"Access-Control-*",
}

// HeadersLeftOut returns the response headers that records leave out, sorted; a trailing asterisk stands for any ending.
// A handler's are in the first answer only, and a replay has its own or none. Config.AllowHeaders lets in all but those of
// the connection, those that say whether to send the request again, and those by which the adapter marks its answers;
// Config.DenyHeaders takes further names.
func HeadersLeftOut() []string {
	names := slices.Concat(madeAnew, notKept, markers(nil))
	for i, name := range names {
		names[i] = http.CanonicalHeaderKey(name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// markers are the headers by which the adapter says what an answer is, so that no record keeps them: Idempotency-Stored,
// Idempotency-Shadow, and the marker of a replay in every dialect.
func markers(inUse dialect.Dialect) []string {
	names := append([]string{storedHeader, shadowHeader}, dialect.Markers()...)
	if inUse != nil { // perhaps one of the operator's own
		name, _ := inUse.Marker("")
		names = append(names, name)
	}
	return names
}

// A headerFilter decides which headers of an answer its record keeps. For one name, the first of these that has it
// decides: madeAnew and the markers (out), allow (kept), deny and notKept (out); a name in none is kept. That allow goes
// before deny makes deny "*" with an allow list mean "only these".
type headerFilter struct {
	names           map[string]rule // by canonical name
	allowed, denied []string        // beginnings of canonical names
}

type rule uint8

const (
	ruleDeny rule = iota + 1
	ruleAllow
	ruleNever
)

// newHeaderFilter takes header names in any case, "X-Internal-*" standing for all that begin so. markers are the names
// by which the dialects mark a replay: a record made of a marked answer must not mark others. The error tells all faults
// at once.
func newHeaderFilter(allow, deny, markers []string) (*headerFilter, error) {
	f := &headerFilter{names: map[string]rule{}}
	var faults []error
	set := func(r rule, patterns []string) {
		for _, pattern := range patterns {
			// Canonical form changes a letter by what stands before it only, so a name's beginning has it too.
			prefix, wild := strings.CutSuffix(pattern, "*")
			name := http.CanonicalHeaderKey(prefix)
			switch {
			case pattern == "" || name != "" && !field.IsToken(name) || strings.Contains(prefix, "*"):
				faults = append(faults, fmt.Errorf("%q: want a header name, or the beginning of one and an asterisk", pattern))
			case wild && r == ruleAllow:
				f.allowed = append(f.allowed, name)
			case wild && slices.Contains(f.allowed, name):
				faults = append(faults, fmt.Errorf("%q: is both allowed and denied", pattern))
			case wild:
				f.denied = append(f.denied, name)
			case r == ruleAllow && f.names[name] == ruleNever:
				faults = append(faults, fmt.Errorf("%q: can't be allowed, it is made anew for each answer", pattern))
			case r == ruleDeny && f.names[name] == ruleAllow:
				faults = append(faults, fmt.Errorf("%q: is both allowed and denied", pattern))
			default:
				f.names[name] = max(r, f.names[name])
			}
		}
	}
	set(ruleDeny, notKept)
	set(ruleNever, slices.Concat(madeAnew, markers))
	set(ruleAllow, allow)
	set(ruleDeny, deny)
	return f, errors.Join(faults...)
}

func (f *headerFilter) keeps(canonical string) bool {
	begins := func(prefix string) bool { return strings.HasPrefix(canonical, prefix) }
	switch f.names[canonical] {
	case ruleNever:
		return false
	case ruleAllow:
		return true
	case ruleDeny:
		return slices.ContainsFunc(f.allowed, begins)
	}
	return slices.ContainsFunc(f.allowed, begins) || !slices.ContainsFunc(f.denied, begins)
}

// isField reports whether name and values make fields that can be sent (RFC 9110 §5.1 and §5.5). For a carriage return
// or a line feed net/http sends a space; any other control character in a value it sends as it is, and clients take the
// whole answer for a broken one.
func isField(name string, values []string) bool {
	for _, v := range values {
		for i := range len(v) {
			if c := v[i]; c < ' ' && c != '\t' && c != '\r' && c != '\n' || c == 0x7f {
				return false
			}
		}
	}
	return field.IsToken(name)
}

// keepsAll reports whether a record keeps h as it is.
func (f *headerFilter) keepsAll(h http.Header) bool {
	for name, vv := range h {
		if !isField(name, vv) || !f.keeps(name) || http.CanonicalHeaderKey(name) != name {
			return false
		}
	}
	return true
}

// keep returns the headers of h that a record keeps, which is asked when it is written and when it is read: whoever can
// write to Redis can write a record. It returns them under canonical names, or nil if there are none; h itself if it
// keeps all. A name without values is kept too: it is how a handler tells net/http to add none of its own.
func (f *headerFilter) keep(h http.Header) http.Header {
	switch {
	case len(h) == 0:
		return nil
	case f.keepsAll(h):
		return h
	}
	kept := make(http.Header, len(h))
	values := make([]string, 0, len(h)) // one array for the values of all, as most have one
	var odd, hop []string               // names in other than canonical form; names that Connection lists
	for name, vv := range h {
		canonical := http.CanonicalHeaderKey(name)
		if canonical == "Connection" {
			hop = appendListed(hop, vv)
		}
		// What is no field name is not sent either (net/http skips it). That goes for trailers under
		// http.TrailerPrefix, too, which are no headers.
		if !isField(name, vv) || !f.keeps(canonical) {
			continue
		}
		if canonical != name {
			odd = append(odd, name)
			continue
		}
		start := len(values)
		values = append(values, vv...)
		kept[name] = values[start:len(values):len(values)]
	}
	// A handler that writes to the map can have one header under several spellings. Which goes first must not be left
	// to the order of a map; net/http, too, sends them sorted.
	slices.Sort(odd)
	for _, name := range odd {
		canonical := http.CanonicalHeaderKey(name)
		kept[canonical] = append(kept[canonical], h[name]...)
	}
	for _, name := range hop {
		delete(kept, name)
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// appendListed appends the canonical names of a comma-separated list such as Connection's.
func appendListed(names, lists []string) []string {
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			names = append(names, http.CanonicalHeaderKey(strings.Trim(name, " \t")))
		}
	}
	return names
}
