package httpadapter

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
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

// chooseKey settles the key of all tries. Its error is a *KeyError, which doesn't hold the key.
func (c *call) chooseKey() error {
	if c.field = c.r.Header.Get(c.Header); c.field != "" {
		c.reply.Key = c.field
		if key, rest, ok := cutString(c.field); ok && validParams(rest) {
			c.reply.Key = key // so that it is the same by WithKey
		}
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
	if set.span(key) < len(key) {
		return &KeyError{Outcome: KeyMalformed, Header: http.CanonicalHeaderKey(c.Header), Want: want}
	}
	return nil
}

// What a field value can carry as it is, and in quotes (RFC 9651 §3.3.3). How long keys may be is the server's to say.
var (
	visible   = newCharset("!-~")
	printable = newCharset(" -~")
	escapes   = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
)
