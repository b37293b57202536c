package httpclient

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/charset"
	"github.com/reprise-go/reprise/internal/field"
)

// NewKey returns a new key: a random UUID (version 4, RFC 9562 §5.4) from crypto/rand. A caller who must get over a
// restart of its own mints the key, stores it with the operation's row, and only then calls, by [WithKey]; after the
// restart the same row gives the same key.
func NewKey() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

type callKey struct{}

// WithKey gives the request that is made with ctx its key, where its header has none. One key is for one operation: a
// second request, with another body, is a mismatch. An empty key is none.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, callKey{}, key)
}

// chooseKey settles the key of all tries. Its error is a *dialect.KeyError, which doesn't hold the key.
func (c *call) chooseKey() (err error) {
	name := http.CanonicalHeaderKey(c.Header)
	if c.field, err = carried(c.r.Header, name); err != nil {
		return err
	}
	if c.field != "" {
		c.reply.Key = keyIn(c.field)
		return nil
	}
	given, _ := c.r.Context().Value(callKey{}).(string)
	// A client that follows a 307 or 308 is still at the same call: another key could do the work at both places.
	key := cmp.Or(given, ReplyOf(c.r.Response).Key)
	if key == "" {
		key = NewKey()
	}
	c.reply.Key, c.field = key, key
	set, want := visible, "visible ASCII characters, as Quoted is not set"
	if c.Quoted {
		set, want = printable, "printable ASCII characters"
		c.field = `"` + escapes.Replace(key) + `"`
	}
	if set.Span(key) < len(key) {
		return &dialect.KeyError{Outcome: dialect.KeyMalformed, Header: name, Want: want}
	}
	return nil
}

// carried returns the field value by which a request carries a key, or "" if there is no line of that name. A line that
// would have to be chosen, replaced or joined by another is refused: whichever key the server made of it, the caller
// could have meant another, and would ask again with that.
func carried(h http.Header, name string) (field string, err error) {
	lines, spelled := 0, true
	for other, values := range h {
		if len(values) > 0 && http.CanonicalHeaderKey(other) == name {
			lines += len(values)
			field, spelled = values[0], other == name
		}
	}
	fault := &dialect.KeyError{Outcome: dialect.KeyMalformed, Header: name}
	switch {
	case lines == 0:
		return "", nil
	case lines > 1:
		fault.Outcome, fault.Want = dialect.KeyRepeated, "one field line"
	case !spelled: // net/http would send it beside the line that every try gets
		fault.Want = "its name spelled " + name + " in the Header, as Set does"
	case strings.Trim(field, " \t") == "":
		fault.Want = "a key, or no such header"
	default:
		return field, nil
	}
	return "", fault
}

// keyIn returns the key that a field value carries: without white space around it, and unquoted if it is an RFC 9651
// String, so that it is the same by WithKey.
func keyIn(value string) string {
	value = field.Trim(value)
	if key, rest, ok := field.CutString(value); ok && field.ValidParams(rest) {
		return key
	}
	return value
}

// What a field value can carry as it is, and in quotes (RFC 9651 §3.3.3). How long keys may be is the server's to say.
var (
	visible   = charset.New("!-~")
	printable = charset.New(" -~")
	escapes   = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
)
