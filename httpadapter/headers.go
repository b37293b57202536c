package httpadapter

import (
	"net/http"
	"slices"
	"strings"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/field"
	"github.com/reprise-go/reprise/internal/header"
)

// HeadersLeftOut returns the response headers that records leave out, sorted; a trailing asterisk
// stands for any ending. A handler's are in the first answer only, and a replay has its own or
// none. Config.AllowHeaders lets in all but those of the connection, those that say whether to send
// the request again, and those by which the adapter marks its answers; Config.DenyHeaders takes
// further names.
func HeadersLeftOut() []string { return header.LeftOut(http.CanonicalHeaderKey, neverKept(nil)) }

// neverKept are the headers that no list can let into a record. Among them are the markers of every
// dialect and of inUse, which is perhaps one of the operator's own, and may be nil: a record of a
// marked answer must not mark others.
func neverKept(inUse dialect.Dialect) []string {
	names := slices.Concat(header.Never, ownHeaders, dialect.Markers())
	if inUse != nil {
		marker, _ := inUse.Marker("")
		names = append(names, marker)
	}
	return names
}

// A headerFilter takes from the headers of an answer those that its record keeps.
type headerFilter struct{ *header.Filter }

// newHeaderFilter takes the lists of a Config. The error names all their faults at once.
func newHeaderFilter(allow, deny []string, inUse dialect.Dialect) (headerFilter, error) {
	f, err := header.NewFilter(http.CanonicalHeaderKey, neverKept(inUse), allow, deny)
	return headerFilter{f}, err
}

// isField reports whether name and values make fields that can be sent (RFC 9110 §5.1 and §5.5).
// For a carriage return or a line feed net/http sends a space; any other control character in a
// value it sends as it is, and clients take the whole answer for a broken one.
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
func (f headerFilter) keepsAll(h http.Header) bool {
	for name, vv := range h {
		if !isField(name, vv) || !f.Keeps(name) || http.CanonicalHeaderKey(name) != name {
			return false
		}
	}
	return true
}

// keep returns the headers of h that a record keeps, which is asked when it is written and when it
// is read: whoever can write to Redis can write a record. It returns them under canonical names, or
// nil if there are none; h itself if it keeps all. A name without values is kept too: it is how a
// handler tells net/http to add none of its own.
func (f headerFilter) keep(h http.Header) http.Header {
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
		// What is no field name is not sent either (net/http skips it). That goes for trailers
		// under http.TrailerPrefix, too, which are no headers.
		if !isField(name, vv) || !f.Keeps(canonical) {
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
	// A handler that writes to the map can have one header under several spellings. Which goes
	// first must not be left to the order of a map; net/http, too, sends them sorted.
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
