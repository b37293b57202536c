package httpadapter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/gowebpki/jcs"

	"github.com/reprise-go/reprise/internal/envconf"
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
// A fingerprint outlives a deployment in Redis. It says how it was made, and holds beside the hash that the fields ask for
// one that is as of the zero value. Requests are compared by the first if the fields were the same, and by the second
// otherwise: after a change of the fields a retry of the same bytes, which is what clients must send, is still known for
// what it is. One that only the old fields would have recognised, or only the new ones, gets 422 that once. A key is added
// in two deployments, lest machines meet fingerprints that they can't check (they answer 503): first at the end of Keys on
// all machines, then at the head. A fingerprint without a key is always checked, so the first key needs one deployment only.
type Fingerprint struct {
	// CanonicalJSON: in a JSON body the order of members, white space and the spelling of strings and numbers don't
	// matter (RFC 8785). A body with duplicate members, or with a number that a float64 can't hold, where two amounts
	// could become one, counts as it stands, as does one that is no JSON.
	CanonicalJSON bool `env:"HTTP_FINGERPRINT_JSON"`

	// Omit are JSON pointers (RFC 6901) to what doesn't matter of a JSON body, such as /client/sent_at. They imply
	// CanonicalJSON. An element of an array counts as null.
	Omit []string `env:"HTTP_FINGERPRINT_OMIT" want:"JSON pointers such as /client/sent_at, separated by commas"`

	// Headers are request headers that matter, too, such as Stripe-Account.
	Headers []string `env:"HTTP_FINGERPRINT_HEADERS" want:"header names, separated by commas"`

	// Keys make fingerprints by HMAC-SHA-256, so that a reader of Redis can't guess small bodies. The first makes
	// them; the others are earlier ones. At least 16 bytes each.
	Keys [][]byte `env:"HTTP_FINGERPRINT_KEYS" want:"secrets of at least 16 bytes in base64, separated by commas, the newest first"`
}

const minSecret = 16

func (c *Fingerprint) check(f *envconf.Faults) {
	for _, p := range c.Omit {
		f.Check(isPointer(p), "Omit", p, "a JSON pointer such as /client/sent_at", "")
	}
	for _, h := range c.Headers {
		// net/http takes Host out of the headers; a retry may come by another name of the same API anyway.
		f.Check(isToken(h) && !strings.EqualFold(h, "Host"), "Headers", h, "header names other than Host", "")
	}
	for _, key := range c.Keys {
		f.Check(len(key) >= minSecret, "Keys", "", "secrets of at least 16 bytes", "")
	}
}

// fingerprintVersion goes into every fingerprint and its hashes. Any change to how they are made needs a new version.
const fingerprintVersion = "1"

// A fingerprinter makes fingerprints:
//
//	1 [-key] : base [.fields : own]
//
// key is a name for the key if there is one, base the hash of the request as it is. If there are fields, own is the hash
// that they ask for, and fields a name for them. Hashes are 43 characters of base64url and names 8, so there are 107 at
// most.
type fingerprinter struct {
	cfg    Fingerprint
	fields string  // "" if the configuration is that of the zero value, but for keys
	makers []maker // the first makes, all compare; the last has no key
}

// A maker makes hashes with one key, or with none.
type maker struct {
	name     string
	printers *sync.Pool
}

func newFingerprinter(cfg Fingerprint) *fingerprinter {
	f := &fingerprinter{cfg: cfg}
	f.cfg.CanonicalJSON = cfg.CanonicalJSON || len(cfg.Omit) > 0
	f.cfg.Omit = slices.Compact(slices.Sorted(slices.Values(cfg.Omit)))
	f.cfg.Headers = nil
	for _, h := range cfg.Headers {
		f.cfg.Headers = append(f.cfg.Headers, http.CanonicalHeaderKey(h))
	}
	slices.Sort(f.cfg.Headers)
	f.cfg.Headers = slices.Compact(f.cfg.Headers)
	for _, key := range cfg.Keys {
		m := maker{printers: newPrinters(func() hash.Hash { return hmac.New(sha256.New, key) })}
		m.name = m.digest("name of the key")[:nameSize]
		f.makers = append(f.makers, m)
	}
	plain := maker{printers: newPrinters(sha256.New)}
	f.makers = append(f.makers, plain)
	if f.cfg.CanonicalJSON || len(f.cfg.Headers) > 0 {
		json := "raw"
		if f.cfg.CanonicalJSON {
			json = "canonical"
		}
		parts := slices.Concat([]string{json, "omit"}, f.cfg.Omit, []string{"headers"}, f.cfg.Headers)
		f.fields = plain.digest(parts...)[:nameSize]
	}
	return f
}

const nameSize = 8 // of base64url: 48 bits tell a handful of settings apart

// of returns a request's fingerprint: printable ASCII without spaces.
func (f *fingerprinter) of(r *http.Request, body []byte) string {
	m := &f.makers[0]
	head := fingerprintVersion
	if m.name != "" {
		head += "-" + m.name
	}
	if f.fields == "" {
		return m.hash(head+":", r, body, nil)
	}
	return m.hash(head+":", r, body, nil) + m.hash("."+f.fields+":", r, f.canonical(r, body), f.cfg.Headers)
}

var errForeignFingerprint = errors.New("httpadapter: a fingerprint was made with a version or key that this machine does not have")

// same tells whether a fingerprint that a key has is of this request, whatever the configuration was that made it.
func (f *fingerprinter) same(known string, r *http.Request, body []byte) (bool, error) {
	head, hashes, _ := strings.Cut(known, ":")
	version, key, _ := strings.Cut(head, "-")
	i := slices.IndexFunc(f.makers, func(m maker) bool { return m.name == key })
	if version != fingerprintVersion || i < 0 {
		return false, errForeignFingerprint
	}
	m := &f.makers[i]
	base, more, _ := strings.Cut(hashes, ".")
	if fields, own, ok := strings.Cut(more, ":"); ok && fields == f.fields {
		return own == m.hash("", r, f.canonical(r, body), f.cfg.Headers), nil
	}
	return base == m.hash("", r, body, nil), nil
}

// canonical returns the body as the fields have it.
func (f *fingerprinter) canonical(r *http.Request, body []byte) []byte {
	if !f.cfg.CanonicalJSON || !isJSON(r.Header.Get("Content-Type")) || !exactNumbers(body) {
		return body
	}
	c, err := jcs.Transform(body)
	if err == nil && len(f.cfg.Omit) > 0 {
		c, err = omit(c, f.cfg.Omit)
	}
	if err != nil {
		return body
	}
	return c
}

func newPrinters(make func() hash.Hash) *sync.Pool {
	return &sync.Pool{New: func() any { return &printer{hash: make()} }}
}

// hash returns text and, after it, the hash of a request.
func (m *maker) hash(text string, r *http.Request, body []byte, headers []string) string {
	p := m.printers.Get().(*printer)
	defer m.printers.Put(p)
	p.begin()
	p.text(fingerprintVersion)
	p.text(r.Method)
	p.text(r.URL.EscapedPath())
	p.query(r.URL.RawQuery)
	p.mediaType(r.Header.Get("Content-Type"))
	for _, name := range headers {
		values := r.Header[name]
		p.text(name)
		p.length(len(values))
		for _, v := range values {
			p.text(v)
		}
	}
	p.body(body)
	return p.end(text)
}

func (m *maker) digest(parts ...string) string {
	p := m.printers.Get().(*printer)
	defer m.printers.Put(p)
	p.begin()
	for _, part := range parts {
		p.text(part)
	}
	p.body(nil)
	return p.end("")
}

// A printer hashes one request at a time: begin, the parts in their order, body, end. Each part has its length before
// it, 8 bytes big-endian, so that no byte can move from one part to the next unseen. The small parts are gathered in
// head and hashed in one go.
type printer struct {
	hash hash.Hash
	head []byte
	sum  [sha256.Size]byte
}

// maxHead bounds what an unusually long query leaves in the pool.
const maxHead = 8 << 10

func (p *printer) begin() {
	p.hash.Reset()
	p.head = p.head[:0]
}

func (p *printer) length(n int) { p.head = binary.BigEndian.AppendUint64(p.head, uint64(n)) }

func (p *printer) text(s string) {
	p.length(len(s))
	p.head = append(p.head, s...)
}

// query hashes the pairs in sorted order. None of them has an ampersand, so the joined text says which they are.
func (p *printer) query(raw string) {
	if strings.IndexByte(raw, '&') < 0 {
		p.text(raw)
		return
	}
	var few [16]string // on the stack; a longer query spills
	pairs := few[:0]
	for pair := range strings.SplitSeq(raw, "&") {
		pairs = append(pairs, pair)
	}
	slices.Sort(pairs)
	p.length(len(raw))
	for i, pair := range pairs {
		if i > 0 {
			p.head = append(p.head, '&')
		}
		p.head = append(p.head, pair...)
	}
}

// mediaType hashes the value up to its parameters (RFC 9110 §8.3.1). It validates nothing: what is no media type is
// hashed as it stands, which can only tell requests apart.
func (p *printer) mediaType(contentType string) {
	essence, _, _ := strings.Cut(contentType, ";")
	essence = strings.Trim(essence, " \t")
	p.length(len(essence))
	for i := range len(essence) {
		c := essence[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		p.head = append(p.head, c)
	}
}

func (p *printer) body(b []byte) {
	p.length(len(b))
	p.hash.Write(p.head)
	p.hash.Write(b)
}

func (p *printer) end(before string) string {
	sum := p.hash.Sum(p.sum[:0])
	text := append(p.head[:0], before...)
	text = base64.RawURLEncoding.AppendEncode(text, sum)
	if p.head = text; cap(text) > maxHead {
		p.head = nil
	}
	return string(text)
}
