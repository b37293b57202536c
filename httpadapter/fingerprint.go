package httpadapter

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/field"
)

// Fingerprint has the options of what tells requests apart that share a key. Two requests are the
// same if they agree in
//
//   - the method;
//   - the path as routed, still escaped: [http.ServeMux] matches the escaped path, so /a%2Fb and
//     /a/b may be two resources, which the unescaped path would make one. It is what the adapter is
//     handed: behind [http.StripPrefix] the prefix is gone, and two mounts of one adapter need two
//     scopes;
//   - the raw query with its pairs sorted as bytes, undecoded. A pair that is there twice counts
//     twice;
//   - the media type of the body without parameters, in lower case;
//   - the body,
//
// of which the options take away, or to which they add. The zero value does neither. The host is
// left out: a retry may come by another name of the same API.
//
// # Deployments
//
// A fingerprint stays in Redis over a deployment. It says how it was made, and has two hashes: the
// one that the options ask for, and one as of the zero value. Requests are compared by the first if
// the options were the same, and else by the second. So retries of requests made before a change of
// the options are still recognised if they have the same bytes, as clients must send. A retry that
// only the old options would have recognised, or only the new ones, gets 422 that once.
//
// A key is added in two deployments, lest machines meet fingerprints that they can't check (they
// answer 503): first at the end of Keys on all machines, then at the head. A fingerprint without a
// key is always checked, so the first key needs one deployment only.
type Fingerprint struct {
	// CanonicalJSON: in a JSON body the order of members, white space and the spelling of strings
	// and numbers don't matter (RFC 8785). A body with duplicate members, or with a number that a
	// float64 may not hold, where two amounts could become one, counts as it stands, as does one
	// that is no JSON in UTF-8, or has more than 64 levels.
	CanonicalJSON bool

	// Omit are JSON pointers (RFC 6901) to what doesn't matter of a JSON body, such as
	// /client/sent_at. They imply CanonicalJSON. An element of an array counts as null.
	Omit []string

	// CanonicalMultipart: in a multipart body (RFC 2046 §5.1), such as an HTML form with files, the
	// boundary doesn't matter, which most libraries draw anew for each try. The parts do, each to
	// the byte, in their order: their headers and what follows. A body that has anything but its
	// parts, or the boundary within one, counts as it stands.
	CanonicalMultipart bool

	// Headers are request headers that matter, too, such as Stripe-Account: each of their field
	// lines, but not the white space around it.
	Headers []string

	// Keys make fingerprints by HMAC-SHA-256, so that a reader of Redis can't guess small bodies.
	// The first makes them; the others are earlier ones. At least 16 bytes each.
	Keys [][]byte
}

func (c *Fingerprint) settings() config.Settings {
	isLong := func(secret []byte) bool { return len(secret) >= 16 }
	const pointers = "JSON pointers such as /client/sent_at, each once, without white space around them"
	return config.Settings{
		config.Bool("HTTP_FINGERPRINT_JSON", "CanonicalJSON", &c.CanonicalJSON),
		config.List("HTTP_FINGERPRINT_OMIT", "Omit", &c.Omit).Means("none").
			Accept(config.Each(pointers, isOmittable, nil)),
		config.Bool("HTTP_FINGERPRINT_MULTIPART", "CanonicalMultipart", &c.CanonicalMultipart),
		config.List("HTTP_FINGERPRINT_HEADERS", "Headers", &c.Headers).Means("none").
			Accept(config.Each(field.WantOfRequest, field.IsOfRequest, http.CanonicalHeaderKey)),
		config.Secrets("HTTP_FINGERPRINT_KEYS", "Keys", &c.Keys).Means("none").
			Accept(config.EachSecret("secrets of at least 16 bytes, each once, the newest first", isLong)),
	}
}

// isOmittable accepts a pointer to what some JSON value can have, without white space at its end:
// RFC 6901 allows that, but in a list it is a slip of typing.
func isOmittable(p string) bool {
	return isPointer(p) && utf8.ValidString(p) && strings.TrimSpace(p) == p
}

const (
	// fingerprintVersion goes into every fingerprint and its hashes. Any change to how they are made
	// needs a new version.
	fingerprintVersion = "1"

	// optionsVersion goes into the name of the options. Any change to what they make of some request
	// needs a new version: retries of requests made before are then told by the base.
	optionsVersion = "2"
)

// A fingerprinter makes fingerprints:
//
//	1 [-key] : base [.options : own]
//
// key is a name for the key if there is one, base the hash of the request as it is. If options are
// set, own is the hash that they ask for, and options a name for them. Hashes are 43 characters of
// base64url and names 8, so there are 107 at most.
type fingerprinter struct {
	cfg     Fingerprint
	omit    *omission
	options string   // the name of the options; empty if none is set but Keys
	hashers []hasher // The first makes fingerprints, all compare them; the last has no key.
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
		h := newHasher(func() hash.Hash { return hmac.New(sha256.New, key) })
		h.name = h.parts("name of the key")[:nameSize]
		f.hashers = append(f.hashers, h)
	}
	plain := newHasher(sha256.New)
	f.hashers = append(f.hashers, plain)
	if f.cfg.CanonicalJSON || f.cfg.CanonicalMultipart || len(f.cfg.Headers) > 0 {
		word := func(on bool) string {
			if on {
				return "canonical"
			}
			return "raw"
		}
		json, multipart := word(f.cfg.CanonicalJSON), word(f.cfg.CanonicalMultipart)
		parts := slices.Concat([]string{optionsVersion, json, multipart, "omit"},
			f.cfg.Omit, []string{"headers"}, f.cfg.Headers)
		f.options = plain.parts(parts...)[:nameSize]
	}
	return f
}

const nameSize = 8 // of base64url: 48 bits tell a handful of settings apart

// content is a body in the form that is hashed.
type content struct {
	text     []byte
	boundary string // of a multipart body, whose text is as it stands; else empty
	parts    int    // of a multipart body
}

// content returns the form that the options ask for, and whether that is a canonical one. Else it
// is the body as it stands.
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
