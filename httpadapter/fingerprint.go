package httpadapter

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"net/http"
	"slices"
	"strings"

	"github.com/reprise-go/reprise/internal/charset"
	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/field"
)

// Fingerprint is what tells requests apart that share a key. Two requests are the same if they agree in
//
//   - the method;
//   - the path as routed, still escaped: [http.ServeMux] matches the escaped path, so /a%2Fb and /a/b may be two
//     resources, which the unescaped path would make one. It is what the adapter is handed: behind [http.StripPrefix]
//     the prefix is gone, and two mounts of one adapter need two scopes;
//   - the raw query with its pairs sorted as bytes, undecoded. A pair that is there twice counts twice;
//   - the media type of the body without parameters, in lower case;
//   - the body,
//
// of which the fields take away, or to which they add. The zero value does neither. The host is left out: a retry may
// come by another name of the same API.
//
// # Deployments
//
// A fingerprint outlives a deployment in Redis. It says how it was made, and holds beside the hash that the fields ask
// for one that is as of the zero value. Requests are compared by the first if the fields were the same, and by the
// second otherwise: after a change of the fields a retry of the same bytes, which is what clients must send, is still
// known for what it is. One that only the old fields would have recognised, or only the new ones, gets 422 that once. A
// key is added in two deployments, lest machines meet fingerprints that they can't check (they answer 503): first at
// the end of Keys on all machines, then at the head. A fingerprint without a key is always checked, so the first key
// needs one deployment only.
type Fingerprint struct {
	// CanonicalJSON: in a JSON body the order of members, white space and the spelling of strings and numbers don't
	// matter (RFC 8785). A body with duplicate members, or with a number that a float64 may not hold, where two amounts
	// could become one, counts as it stands, as does one that is no JSON in UTF-8, or has more than 64 levels.
	CanonicalJSON bool `env:"HTTP_FINGERPRINT_JSON"`

	// Omit are JSON pointers (RFC 6901) to what doesn't matter of a JSON body, such as /client/sent_at. They imply
	// CanonicalJSON. An element of an array counts as null.
	Omit []string `env:"HTTP_FINGERPRINT_OMIT" want:"JSON pointers such as /client/sent_at, each once, without white space around them, separated by commas"`

	// CanonicalMultipart: in a multipart body (RFC 2046 §5.1), such as an HTML form with files, the boundary doesn't
	// matter, which most libraries draw anew for each try. The parts do, each to the byte, in their order: their headers
	// and what follows. A body that has anything but its parts, or the boundary within one, counts as it stands.
	CanonicalMultipart bool `env:"HTTP_FINGERPRINT_MULTIPART"`

	// Headers are request headers that matter, too, such as Stripe-Account: each of their field lines, but not the white
	// space around it.
	Headers []string `env:"HTTP_FINGERPRINT_HEADERS" want:"names of request headers other than Host and those of one connection, each once, separated by commas"`

	// Keys make fingerprints by HMAC-SHA-256, so that a reader of Redis can't guess small bodies. The first makes
	// them; the others are earlier ones. At least 16 bytes each.
	Keys [][]byte `env:"HTTP_FINGERPRINT_KEYS" want:"secrets of at least 16 bytes in base64, separated by commas, the newest first"`
}

const minSecret = 16

func (c *Fingerprint) check(f *config.Faults) {
	f.CheckEach("Omit", c.Omit, isOmittable, nil, "JSON pointers such as /client/sent_at, each once, without white space around them")
	f.CheckEach("Headers", c.Headers, field.IsOfRequest, http.CanonicalHeaderKey, wantRequestHeaders)
	for i, key := range c.Keys {
		again := slices.ContainsFunc(c.Keys[:i], func(k []byte) bool { return string(k) == string(key) })
		f.Check(len(key) >= minSecret && !again, "Keys", "", "secrets of at least 16 bytes, each once", "")
	}
}

const (
	// fingerprintVersion goes into every fingerprint and its hashes. Any change to how they are made needs a new version.
	fingerprintVersion = "1"

	// fieldsVersion goes into the name of the fields. Any change to what they make of some request needs a new version:
	// retries of requests made before are then told by the base.
	fieldsVersion = "2"
)

// A fingerprinter makes fingerprints:
//
//	1 [-key] : base [.fields : own]
//
// key is a name for the key if there is one, base the hash of the request as it is. If there are fields, own is the hash
// that they ask for, and fields a name for them. Hashes are 43 characters of base64url and names 8, so there are 107 at
// most.
type fingerprinter struct {
	cfg    Fingerprint
	omit   *omission
	fields string  // "" if the configuration is that of the zero value, but for keys
	makers []maker // the first makes, all compare; the last has no key
}

func newFingerprinter(cfg Fingerprint) *fingerprinter {
	f := &fingerprinter{cfg: cfg, omit: newOmission(cfg.Omit)}
	f.cfg.CanonicalJSON = cfg.CanonicalJSON || len(cfg.Omit) > 0
	f.cfg.Omit = slices.Sorted(slices.Values(cfg.Omit))
	f.cfg.Headers = nil
	for _, h := range cfg.Headers {
		f.cfg.Headers = append(f.cfg.Headers, http.CanonicalHeaderKey(h))
	}
	slices.Sort(f.cfg.Headers)
	for _, key := range cfg.Keys {
		m := maker{printers: newPrinters(func() hash.Hash { return hmac.New(sha256.New, key) })}
		m.name = m.digest("name of the key")[:nameSize]
		f.makers = append(f.makers, m)
	}
	plain := maker{printers: newPrinters(sha256.New)}
	f.makers = append(f.makers, plain)
	if f.cfg.CanonicalJSON || f.cfg.CanonicalMultipart || len(f.cfg.Headers) > 0 {
		word := func(on bool) string {
			if on {
				return "canonical"
			}
			return "raw"
		}
		parts := slices.Concat([]string{fieldsVersion, word(f.cfg.CanonicalJSON), word(f.cfg.CanonicalMultipart), "omit"},
			f.cfg.Omit, []string{"headers"}, f.cfg.Headers)
		f.fields = plain.digest(parts...)[:nameSize]
	}
	return f
}

const nameSize = 8 // of base64url: 48 bits tell a handful of settings apart

// content is a body as the fields have it.
type content struct {
	text     []byte
	boundary string // of a multipart body, which text is as it stands; else empty
	parts    int    // of that
}

// content returns the canonical form of a body, and whether there is one. Else it is the body as it stands.
func (f *fingerprinter) content(r *http.Request, body []byte) (c content, canonical bool) {
	contentType := r.Header.Get("Content-Type")
	switch {
	case f.cfg.CanonicalJSON && isJSON(contentType):
		if text, err := canonicalJSON(body, f.omit); err == nil {
			return content{text: text}, true
		}
	case f.cfg.CanonicalMultipart:
		boundary := multipartBoundary(contentType)
		if n, ok := eachPart(body, boundary, func([]byte) {}); ok {
			return content{body, boundary, n}, true
		}
	}
	return content{text: body}, false
}

// An identity is what one request is known by. Its hashes are made once, so that a mismatch costs no more than a match.
type identity struct {
	prints    *fingerprinter
	r         *http.Request
	body      []byte
	text      string   // the fingerprint: printable ASCII without spaces
	base, own string   // by the first maker
	form      *content // nil before it is asked for, and when it has been let go
}

func (id *identity) find(f *fingerprinter, r *http.Request, body []byte) {
	*id = identity{prints: f, r: r, body: body}
	m := &f.makers[0]
	head := fingerprintVersion + ":"
	if m.name != "" {
		head = fingerprintVersion + "-" + m.name + ":"
	}
	id.text = m.hash(head, r, content{text: body}, nil)
	id.base = id.text[len(head):]
	if f.fields != "" {
		id.own = id.ownBy(m)
		id.text += "." + f.fields + ":" + id.own
	}
}

func (id *identity) String() string { return id.text }

func (id *identity) baseBy(m *maker) string {
	if m == &id.prints.makers[0] {
		return id.base
	}
	return m.hash("", id.r, content{text: id.body}, nil)
}

func (id *identity) ownBy(m *maker) string {
	if m == &id.prints.makers[0] && id.own != "" {
		return id.own
	}
	if id.form == nil {
		form, canonical := id.prints.content(id.r, id.body)
		if !canonical && len(id.prints.cfg.Headers) == 0 {
			return id.baseBy(m) // of the same parts
		}
		id.form = &form
	}
	return m.hash("", id.r, *id.form, id.prints.cfg.Headers)
}

var errForeignFingerprint = errors.New("httpadapter: a fingerprint was made with a version or key that this machine does not have")

// same tells whether a fingerprint that a key has is of this request, whatever the configuration was that made it. One
// that no version of an adapter has made, such as a job's, is not. The error means that another machine may know.
func (id *identity) same(known string) (bool, error) {
	k, ok := parseFingerprint(known)
	if !ok {
		return false, nil
	}
	makers := id.prints.makers
	i := slices.IndexFunc(makers, func(m maker) bool { return m.name == k.key })
	if k.version != fingerprintVersion || i < 0 {
		return false, errForeignFingerprint
	}
	if k.fields != "" && k.fields == id.prints.fields {
		return k.own == id.ownBy(&makers[i]), nil
	}
	return k.base == id.baseBy(&makers[i]), nil
}

// knownFingerprint is a fingerprint taken apart.
type knownFingerprint struct{ version, key, base, fields, own string }

// parseFingerprint takes apart what a key has. What has no version, or a name of a key that is none, was not made by any
// version of this package. Of another version nothing more is known than that it begins so.
func parseFingerprint(text string) (k knownFingerprint, ok bool) {
	head, rest, colon := strings.Cut(text, ":")
	version, key, keyed := strings.Cut(head, "-")
	if !colon || version == "" || digits.Span(version) < len(version) || keyed && !isName(key) {
		return k, false
	}
	k.version, k.key = version, key
	k.base, rest, _ = strings.Cut(rest, ".")
	k.fields, k.own, _ = strings.Cut(rest, ":")
	return k, true
}

func isName(s string) bool { return len(s) == nameSize && base64URL.Span(s) == nameSize }

var (
	digits    = charset.New("0-9")
	base64URL = charset.New("A-Z", "a-z", "0-9", "-", "_")
)
