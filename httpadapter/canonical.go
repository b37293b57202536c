package httpadapter

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/reprise-go/reprise/internal/field"
)

// isJSON reports whether a media type is JSON's or based on it (RFC 6839 §3.1).
func isJSON(contentType string) bool {
	media := field.MediaType(contentType)
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// Beyond these a body has no canonical form: it counts as it stands, which can only tell requests
// apart.
const (
	// maxDepth bounds how often a byte is moved, for each object around it that is not sorted. 64
	// levels are what .NET's System.Text.Json reads by default; encoding/json reads 10,000.
	maxDepth = 64

	// maxExactDigits and maxExactExponent bound numbers, which RFC 8785 takes for float64s: of two
	// with no more than 15 significant digits, from 1e-307 to below 1e308, none are one float64
	// (IEEE 754; its DBL_DIG). Others could make one amount of two, and one operation of two.
	maxExactDigits   = 15
	maxExactExponent = 307
)

var (
	errTooDeep    = errors.New("more than 64 levels")
	errNotExact   = errors.New("a number that a float64 may not hold")
	errDuplicate  = errors.New("an object has two members of one name")
	errMoreValues = errors.New("more than one value")
)

// A canonicalizer writes a JSON value anew as RFC 8785 says, without what is to be left out, in one
// pass over the tokens.
type canonicalizer struct {
	in      *jsontext.Decoder
	out     []byte
	depth   int
	members []member // of the objects that are open, the innermost last
	names   []byte   // of those members, unquoted
	scratch []byte
}

// A member is where an object's member stands in out, and its name in names. One that is left out
// is empty. 32 bits hold what a body of 256 MiB can come to, each number of 4 bytes (1e20) growing
// to 21.
type member struct{ from, to, name, nameEnd uint32 }

// canonicalJSON returns the canonical form of a body, or an error if it has none: it is no JSON
// (RFC 8259, encoded in UTF-8), has two members of one name in an object, or is beyond the limits
// above. That goes for what is left out, too. It takes memory in proportion to the body.
func canonicalJSON(body []byte, out *omission) ([]byte, error) {
	c := canonicalizer{
		// Duplicates are found by sorting, which takes no map of all names.
		in:  jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true)),
		out: make([]byte, 0, len(body)),
	}
	if err := c.value(out); err != nil {
		return nil, err
	}
	if _, err := c.in.ReadToken(); err != io.EOF {
		return nil, cmp.Or(err, errMoreValues)
	}
	return c.out, nil
}

func (c *canonicalizer) value(out *omission) (err error) {
	kind := c.in.PeekKind()
	if kind == '{' || kind == '[' {
		if c.depth++; c.depth > maxDepth {
			return errTooDeep
		}
		if kind == '{' {
			err = c.object(out)
		} else {
			err = c.array(out)
		}
		c.depth--
		return err
	}
	scalar, err := c.in.ReadValue()
	if err != nil {
		return err
	}
	switch kind {
	case '"':
		err = c.string(scalar)
	case '0':
		c.out, err = appendNumber(c.out, scalar)
	default:
		c.out = append(c.out, scalar...)
	}
	return err
}

func (c *canonicalizer) object(out *omission) error {
	if _, err := c.in.ReadToken(); err != nil {
		return err
	}
	c.out = append(c.out, '{')
	start, members, names := len(c.out), len(c.members), len(c.names)
	sorted := true
	for c.in.PeekKind() != '}' {
		quoted, err := c.in.ReadValue()
		if err != nil {
			return err
		}
		before := len(c.out)
		if before > start {
			c.out = append(c.out, ',')
		}
		m := member{from: uint32(len(c.out)), name: uint32(len(c.names))}
		if escaped(quoted) {
			if c.names, err = jsontext.AppendUnquote(c.names, quoted); err != nil {
				return err
			}
		} else {
			c.names = append(c.names, quoted[1:len(quoted)-1]...)
		}
		m.nameEnd = uint32(len(c.names))
		if err := c.string(quoted); err != nil {
			return err
		}
		c.out = append(c.out, ':')
		below := out.below(c.names[m.name:])
		if err := c.value(below); err != nil {
			return err
		}
		if below.here() {
			c.out, m.from = c.out[:before], uint32(before)
		}
		m.to = uint32(len(c.out))
		sorted = sorted && (len(c.members) == members || c.compare(c.members[len(c.members)-1], m) < 0)
		c.members = append(c.members, m)
	}
	if _, err := c.in.ReadToken(); err != nil {
		return err
	}
	if !sorted {
		if err := c.sort(start, c.members[members:]); err != nil {
			return err
		}
	}
	c.members, c.names = c.members[:members], c.names[:names]
	c.out = append(c.out, '}')
	return nil
}

// sort puts the members of an object that begins at start into their order.
func (c *canonicalizer) sort(start int, members []member) error {
	slices.SortFunc(members, c.compare)
	c.scratch = slices.Grow(c.scratch[:0], len(c.out)-start)
	for i, m := range members {
		if i > 0 && c.compare(members[i-1], m) == 0 {
			return errDuplicate
		}
		if m.from == m.to {
			continue
		}
		if len(c.scratch) > 0 {
			c.scratch = append(c.scratch, ',')
		}
		c.scratch = append(c.scratch, c.out[m.from:m.to]...)
	}
	c.out = append(c.out[:start], c.scratch...)
	return nil
}

func (c *canonicalizer) compare(a, b member) int {
	return compareUTF16(c.names[a.name:a.nameEnd], c.names[b.name:b.nameEnd])
}

// compareUTF16 compares UTF-8 texts by their UTF-16 code units (RFC 8785 §3.2.3). It differs from
// the order of bytes in what lies above the surrogates: U+E000 to U+FFFF, of three bytes that begin
// with EE or EF, follow what takes four.
func compareUTF16(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x >= 0xee && y >= 0xee && (x >= 0xf0) != (y >= 0xf0) {
			x, y = y, x
		}
		return cmp.Compare(x, y)
	}
	return cmp.Compare(len(a), len(b))
}

func (c *canonicalizer) array(out *omission) error {
	if _, err := c.in.ReadToken(); err != nil {
		return err
	}
	c.out = append(c.out, '[')
	var index [20]byte
	for i := 0; c.in.PeekKind() != ']'; i++ {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		from := len(c.out)
		var below *omission
		if out != nil {
			below = out.below(strconv.AppendInt(index[:0], int64(i), 10))
		}
		if err := c.value(below); err != nil {
			return err
		}
		if below.here() {
			c.out = append(c.out[:from], "null"...) // the others keep their places
		}
	}
	_, err := c.in.ReadToken()
	c.out = append(c.out, ']')
	return err
}

// string writes a string in its shortest form, which it has if nothing in it is escaped.
func (c *canonicalizer) string(quoted []byte) (err error) {
	if !escaped(quoted) {
		c.out = append(c.out, quoted...)
		return nil
	}
	if c.scratch, err = jsontext.AppendUnquote(c.scratch[:0], quoted); err != nil {
		return err
	}
	c.out, err = jsontext.AppendQuote(c.out, c.scratch)
	return err
}

func escaped(quoted []byte) bool { return bytes.IndexByte(quoted, '\\') >= 0 }
