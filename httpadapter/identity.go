package httpadapter

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/reprise-go/reprise/internal/charset"
)

// An identity is what one request is known by. Its hashes are made once, so that a reused key costs
// no more than a replay.
type identity struct {
	fingerprinter *fingerprinter
	r             *http.Request
	body          []byte
	text          string   // the fingerprint: printable ASCII without spaces
	base, own     string   // its hashes, by the first hasher
	content       *content // nil before the first use, and when its memory has been freed
}

func (id *identity) set(f *fingerprinter, r *http.Request, body []byte) {
	*id = identity{fingerprinter: f, r: r, body: body}
	first := &f.hashers[0]
	head := fingerprintVersion + ":"
	if first.name != "" {
		head = fingerprintVersion + "-" + first.name + ":"
	}
	id.text = first.request(head, r, content{text: body}, nil)
	id.base = id.text[len(head):]
	if f.options != "" {
		id.own = id.ownBy(first)
		id.text += "." + f.options + ":" + id.own
	}
}

func (id *identity) String() string { return id.text }

// baseBy returns the hash of the request as it is.
func (id *identity) baseBy(h *hasher) string {
	if h == &id.fingerprinter.hashers[0] {
		return id.base
	}
	return h.request("", id.r, content{text: id.body}, nil)
}

// ownBy returns the hash that the options ask for.
func (id *identity) ownBy(h *hasher) string {
	f := id.fingerprinter
	if h == &f.hashers[0] && id.own != "" {
		return id.own
	}
	if id.content == nil {
		content, canonical := f.content(id.r, id.body)
		if !canonical && len(f.cfg.Headers) == 0 {
			return id.baseBy(h) // It has the same parts.
		}
		id.content = &content
	}
	return h.request("", id.r, *id.content, f.cfg.Headers)
}

// free lets go of the canonical content, which can be made again.
func (id *identity) free() { id.content = nil }

var errForeignFingerprint = errors.New(
	"httpadapter: a fingerprint was made with a version or key that this machine does not have")

// same reports whether a key's fingerprint belongs to this request, whatever configuration it was
// made with. One that no version of an adapter has made, such as a job's, does not. An error means
// that another machine may know.
func (id *identity) same(known string) (bool, error) {
	k, ok := parseFingerprint(known)
	if !ok {
		return false, nil
	}
	hashers := id.fingerprinter.hashers
	i := slices.IndexFunc(hashers, func(h hasher) bool { return h.name == k.key })
	if k.version != fingerprintVersion || i < 0 {
		return false, errForeignFingerprint
	}
	if k.options != "" && k.options == id.fingerprinter.options {
		return k.own == id.ownBy(&hashers[i]), nil
	}
	return k.base == id.baseBy(&hashers[i]), nil
}

// knownFingerprint is a fingerprint taken apart.
type knownFingerprint struct{ version, key, base, options, own string }

// parseFingerprint takes a fingerprint apart. One without a version, or with an impossible name of
// a key, was not made by any version of this package. Of one of another version, nothing is known
// but its beginning.
func parseFingerprint(text string) (k knownFingerprint, ok bool) {
	head, rest, colon := strings.Cut(text, ":")
	version, key, keyed := strings.Cut(head, "-")
	if !colon || version == "" || digits.Span(version) < len(version) || keyed && !isName(key) {
		return k, false
	}
	k.version, k.key = version, key
	k.base, rest, _ = strings.Cut(rest, ".")
	k.options, k.own, _ = strings.Cut(rest, ":")
	return k, true
}

func isName(s string) bool { return len(s) == nameSize && base64URL.Span(s) == nameSize }

var (
	digits    = charset.New("0-9")
	base64URL = charset.New("A-Z", "a-z", "0-9", "-", "_")
)
