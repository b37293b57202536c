package cache

import (
	"encoding/binary"
	"errors"
	"io"
)

// The decoder of package msgpack trusts its input. It allocates 4 billion elements for an array
// that claims to have them, and recurses into nested values until the stack overflows, which ends
// the process. So every payload is surveyed before it is decoded.

// maxLevels is how many levels deep a payload may be nested.
const maxLevels = 128

// bytesPerValue is how much of MaxDecoded each value counts for at least: a payload may have
// MaxDecoded/bytesPerValue values. Decoded into an empty interface, a value of one byte takes 16
// bytes of memory and more.
const bytesPerValue = 8

var (
	errMalformed = errors.New("the payload isn't one whole msgpack value")
	errExtension = errors.New("msgpack extension types other than the timestamp are not supported")
	errTwice     = errors.New("two fields of a struct are stored under one name, and only one could be read again")
	errMisread   = errors.New("a timestamp stands where something else belongs")
)

// A surveyor walks the payload b without decoding it.
type surveyor struct {
	b          []byte
	pos        int
	values     int64 // counted so far
	limit      int64 // of values
	unique     bool  // no map may have a key twice
	extensions []int // the offsets at which the contents of timestamps begin
}

// survey makes sure that b is exactly one well-formed msgpack value, that it has all the bytes that
// its lengths claim, and that it is within the bounds.
func (s *surveyor) survey() error {
	if err := s.value(1); err != nil {
		return err
	}
	if s.pos != len(s.b) {
		return errMalformed
	}
	return nil
}

// value walks one value. The codes are those of
// https://github.com/msgpack/msgpack/blob/master/spec.md.
func (s *surveyor) value(level int) error {
	if s.values++; s.values > s.limit {
		return &TooLargeError{Unit: "values", Size: s.values, Limit: s.limit}
	}
	code, err := s.uint(1)
	if err != nil {
		return err
	}
	switch {
	case code <= 0x7f || code >= 0xe0: // small integer
		return nil
	case code <= 0x8f: // small map
		return s.pairs(code&0x0f, level)
	case code <= 0x9f: // small array
		return s.children(code&0x0f, level)
	case code <= 0xbf: // short string
		return s.skip(code & 0x1f)
	}
	switch code {
	case 0xc0, 0xc2, 0xc3: // nil, false, true
		return nil
	case 0xc4, 0xd9: // binary, string
		return s.skipCounted(1)
	case 0xc5, 0xda:
		return s.skipCounted(2)
	case 0xc6, 0xdb:
		return s.skipCounted(4)
	case 0xca: // float
		return s.skip(4)
	case 0xcb:
		return s.skip(8)
	case 0xcc, 0xcd, 0xce, 0xcf: // unsigned
		return s.skip(1 << (code - 0xcc))
	case 0xd0, 0xd1, 0xd2, 0xd3: // signed
		return s.skip(1 << (code - 0xd0))
	case 0xd6, 0xd7: // extension of 4 bytes, of 8
		return s.timestamp(4 << (code - 0xd6))
	case 0xc7: // extension of a length to follow
		n, err := s.uint(1)
		if err == nil && n != 12 {
			err = errExtension
		}
		if err != nil {
			return err
		}
		return s.timestamp(n)
	case 0xc8, 0xc9, 0xd4, 0xd5, 0xd8:
		return errExtension
	case 0xdc, 0xdd: // array
		n, err := s.uint(2 << (code - 0xdc))
		if err != nil {
			return err
		}
		return s.children(n, level)
	case 0xde, 0xdf: // map
		n, err := s.uint(2 << (code - 0xde))
		if err != nil {
			return err
		}
		return s.pairs(n, level)
	}
	return errMalformed // 0xc1, which msgpack leaves unused
}

// children walks the n values inside the one at level. Each of them takes at least one byte, so the
// walk ends with the payload, however large a forged n is.
func (s *surveyor) children(n uint64, level int) error {
	if n > 0 && level == maxLevels {
		return &TooLargeError{Unit: "levels", Size: maxLevels + 1, Limit: maxLevels}
	}
	for range n {
		if err := s.value(level + 1); err != nil {
			return err
		}
	}
	return nil
}

// pairs walks the n pairs of a map.
func (s *surveyor) pairs(n uint64, level int) error {
	if !s.unique || n < 2 || level == maxLevels {
		return s.children(2*n, level)
	}
	seen := map[string]bool{}
	for range n {
		start := s.pos
		if err := s.value(level + 1); err != nil {
			return err
		}
		key := string(s.b[start:s.pos])
		if seen[key] {
			return errTwice
		}
		seen[key] = true
		if err := s.value(level + 1); err != nil {
			return err
		}
	}
	return nil
}

// timestamp walks the type and the n bytes of an extension.
func (s *surveyor) timestamp(n uint64) error {
	const timestamp = 0xff // type -1
	switch typ, err := s.uint(1); {
	case err != nil:
		return err
	case typ != timestamp:
		return errExtension
	}
	s.extensions = append(s.extensions, s.pos)
	return s.skip(n)
}

// skipCounted reads a length of so many bytes, and skips as much as it says.
func (s *surveyor) skipCounted(bytes int) error {
	n, err := s.uint(bytes)
	if err != nil {
		return err
	}
	return s.skip(n)
}

func (s *surveyor) skip(n uint64) error {
	if n > uint64(len(s.b)-s.pos) {
		return errMalformed
	}
	s.pos += int(n)
	return nil
}

// uint reads a number of 1, 2 or 4 bytes.
func (s *surveyor) uint(bytes int) (uint64, error) {
	at := s.pos
	if err := s.skip(uint64(bytes)); err != nil {
		return 0, err
	}
	switch bytes {
	case 1:
		return uint64(s.b[at]), nil
	case 2:
		return uint64(binary.BigEndian.Uint16(s.b[at:])), nil
	}
	return uint64(binary.BigEndian.Uint32(s.b[at:])), nil
}

// A reader gives a surveyed payload to package msgpack, and stops it where it reads the payload in
// another way than the survey did. Where a map is expected and the payload has an extension,
// msgpack (DecodeMapLen) skips the extension's header and takes its contents for a map, of whatever
// length they claim. It reads the contents of a real extension by one Read and the code of a value
// by ReadByte: a ReadByte at the beginning of contents is the mistake.
type reader struct {
	b          []byte
	pos        int
	extensions []int // the offsets of contents that have not been read yet
}

func (r *reader) Read(p []byte) (int, error) {
	if r.pos == len(r.b) {
		return 0, io.EOF
	}
	n := copy(p, r.b[r.pos:])
	r.pos += n
	for len(r.extensions) > 0 && r.extensions[0] < r.pos {
		r.extensions = r.extensions[1:]
	}
	return n, nil
}

func (r *reader) ReadByte() (byte, error) {
	if r.pos == len(r.b) {
		return 0, io.EOF
	}
	if len(r.extensions) > 0 && r.extensions[0] == r.pos {
		return 0, errMisread
	}
	r.pos++
	return r.b[r.pos-1], nil
}

// UnreadByte undoes the last ReadByte.
func (r *reader) UnreadByte() error {
	r.pos--
	return nil
}
