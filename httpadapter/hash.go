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

// A hasher hashes requests by one key, or without a key.
type hasher struct {
	name   string // of the key; empty without one
	states *sync.Pool
}

func newHasher(algorithm func() hash.Hash) hasher {
	return hasher{states: &sync.Pool{New: func() any { return &hashState{hash: algorithm()} }}}
}

// request returns head and, after it, the hash of a request.
func (h *hasher) request(head string, r *http.Request, body content, headers []string) string {
	s := h.states.Get().(*hashState)
	defer h.states.Put(s)
	s.begin()
	s.text(fingerprintVersion)
	s.text(r.Method)
	s.text(r.URL.EscapedPath())
	s.query(r.URL.RawQuery)
	s.mediaType(r.Header.Get("Content-Type"))
	for _, name := range headers {
		values := r.Header[name]
		s.text(name)
		s.length(len(values))
		for _, v := range values {
			s.text(field.Trim(v))
		}
	}
	if body.boundary == "" {
		s.body(body.text)
	} else {
		s.multipart(body)
	}
	return s.end(head)
}

// parts returns the hash of some texts.
func (h *hasher) parts(texts ...string) string {
	s := h.states.Get().(*hashState)
	defer h.states.Put(s)
	s.begin()
	for _, text := range texts {
		s.text(text)
	}
	s.body(nil)
	return s.end("")
}

// A hashState hashes one thing at a time: begin, the parts in their order, body, end. Each part has
// its length before it, 8 bytes big-endian, so that no byte can move from one part to the next
// unseen. The small parts are gathered in head and hashed in one go.
type hashState struct {
	hash hash.Hash
	head []byte
	sum  [sha256.Size]byte
}

// maxHead bounds what an unusually long query leaves in the pool.
const maxHead = 8 << 10

func (s *hashState) begin() {
	s.hash.Reset()
	s.head = s.head[:0]
}

func (s *hashState) length(n int) { s.head = binary.BigEndian.AppendUint64(s.head, uint64(n)) }

func (s *hashState) text(t string) {
	s.length(len(t))
	s.head = append(s.head, t...)
}

// query hashes the pairs in sorted order. No pair has an ampersand, so the joined text says which
// they are.
func (s *hashState) query(raw string) {
	if strings.IndexByte(raw, '&') < 0 {
		s.text(raw)
		return
	}
	var few [16]string // on the stack; a longer query spills
	pairs := few[:0]
	for pair := range strings.SplitSeq(raw, "&") {
		pairs = append(pairs, pair)
	}
	slices.Sort(pairs)
	s.length(len(raw))
	for i, pair := range pairs {
		if i > 0 {
			s.head = append(s.head, '&')
		}
		s.head = append(s.head, pair...)
	}
}

// mediaType hashes the value up to its parameters (RFC 9110 §8.3.1). It validates nothing: what is
// no media type is hashed as it stands, which can at worst tell apart two requests that are the
// same.
func (s *hashState) mediaType(contentType string) {
	essence, _, _ := strings.Cut(contentType, ";")
	essence = field.Trim(essence)
	s.length(len(essence))
	for i := range len(essence) {
		c := essence[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		s.head = append(s.head, c)
	}
}

func (s *hashState) body(b []byte) {
	s.length(len(b))
	s.write(b)
}

// multipart hashes how many parts a body has, and each. The word keeps them apart from any body as
// it stands.
func (s *hashState) multipart(c content) {
	s.text("multipart")
	s.length(c.parts)
	eachPart(c.text, c.boundary, s.body)
}

// write hashes what has been gathered in head, and then b.
func (s *hashState) write(b []byte) {
	s.hash.Write(s.head)
	s.hash.Write(b)
	s.head = s.head[:0]
}

func (s *hashState) end(before string) string {
	text := append(s.head[:0], before...)
	text = base64.RawURLEncoding.AppendEncode(text, s.hash.Sum(s.sum[:0]))
	if s.head = text; cap(text) > maxHead {
		s.head = nil
	}
	return string(text)
}
