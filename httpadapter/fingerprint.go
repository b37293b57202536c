package httpadapter

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// fingerprintVersion opens every fingerprint and goes into the hash. A fingerprint outlives a deployment in Redis, and
// one that is made of other parts must be told from one of another request: any change below needs a new version.
const fingerprintVersion = "1"

// fingerprint returns what a request is known by: the version, a colon and the base64url of a SHA-256, 45 characters of
// [0-9A-Za-z:_-]. Two requests have the same one if they agree in
//
//   - the method;
//   - the path as routed, still escaped: [http.ServeMux] matches the escaped path, so /a%2Fb and /a/b may be two
//     resources, which the unescaped path would make one. It is what the adapter is handed: behind [http.StripPrefix]
//     the prefix is gone, and two mounts of one adapter need two scopes;
//   - the raw query with its pairs sorted as bytes, undecoded. A pair that is there twice counts twice;
//   - the media type of the body without parameters, in lower case;
//   - the body.
//
// The host is left out: a retry may come by another name of the same API.
func fingerprint(r *http.Request, body []byte) string {
	p := printers.Get().(*printer)
	defer printers.Put(p)
	p.begin(fingerprintVersion)
	p.text(r.Method)
	p.text(r.URL.EscapedPath())
	p.query(r.URL.RawQuery)
	p.mediaType(r.Header.Get("Content-Type"))
	p.body(body)
	return p.end(fingerprintVersion)
}

var printers = sync.Pool{New: func() any { return &printer{hash: sha256.New()} }}

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

func (p *printer) begin(version string) {
	p.hash.Reset()
	p.head = p.head[:0]
	p.text(version)
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

func (p *printer) end(version string) string {
	sum := p.hash.Sum(p.sum[:0])
	text := append(p.head[:0], version...)
	text = append(text, ':')
	text = base64.RawURLEncoding.AppendEncode(text, sum)
	if p.head = text; cap(text) > maxHead {
		p.head = nil
	}
	return string(text)
}
