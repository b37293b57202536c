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

	"github.com/reprise-go/reprise/internal/field"
)

// A maker makes hashes with one key, or with none.
type maker struct {
	name     string
	printers *sync.Pool
}

func newPrinters(make func() hash.Hash) *sync.Pool {
	return &sync.Pool{New: func() any { return &printer{hash: make()} }}
}

// hash returns text and, after it, the hash of a request.
func (m *maker) hash(text string, r *http.Request, body content, headers []string) string {
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
			p.text(field.Trim(v))
		}
	}
	if body.boundary == "" {
		p.body(body.text)
	} else {
		p.multipart(body)
	}
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
	essence = field.Trim(essence)
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
	p.write(b)
}

// multipart hashes how many parts a body has, and each. The word keeps them apart from any body as it stands.
func (p *printer) multipart(c content) {
	p.text("multipart")
	p.length(c.parts)
	eachPart(c.text, c.boundary, p.body)
}

// write hashes what has been gathered in head, and then b.
func (p *printer) write(b []byte) {
	p.hash.Write(p.head)
	p.hash.Write(b)
	p.head = p.head[:0]
}

func (p *printer) end(before string) string {
	text := append(p.head[:0], before...)
	text = base64.RawURLEncoding.AppendEncode(text, p.hash.Sum(p.sum[:0]))
	if p.head = text; cap(text) > maxHead {
		p.head = nil
	}
	return string(text)
}
