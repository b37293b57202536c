package cache

import (
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"unsafe"
)

// The format's constants; doc.go has the table.
const (
	magic   = 'R'
	version = 1

	flagCompressed = 1 << 0
	flagSealed     = 1 << 1
	flagTombstone  = 1 << 2
	flagOrigin     = 1 << 3
	flagsKnown     = flagCompressed | flagSealed | flagTombstone | flagOrigin

	maxOwner       = 64
	maxFingerprint = 255

	fixedLen = 3 + 1 + 8 + 1 // of a header, in bytes: magic, version, flags, two lengths, fence
	sumLen   = 4

	maxOverhead = fixedLen + maxOwner + maxFingerprint + 1 + MaxOrigin + sealLen + sumLen // of a record, beside its payload
)

// MaxOrigin is the length in bytes of the longest [Header.Origin].
const MaxOrigin = 64

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Header comes before the payload, and can be read without decoding it.
type Header struct {
	Owner       string // who wrote the record, at most 64 bytes
	Fence       int64  // the fencing number of the lease under which it was written
	Fingerprint string // of the request that the record answers, at most 255 bytes
	Tombstone   bool   // the request was answered, and the answer is not stored

	// Origin is what finds the request again in another system, such as the context of its trace, at
	// most MaxOrigin bytes. Empty takes no room. Releases before the one that introduced it take a
	// record that has one for ErrCorrupt.
	Origin string
}

func (h Header) validate() error {
	if n := len(h.Owner); n > maxOwner {
		return &ConfigError{Name: "Owner", Value: strconv.Itoa(n) + " bytes", Want: "at most 64 bytes"}
	}
	if n := len(h.Fingerprint); n > maxFingerprint {
		return &ConfigError{Name: "Fingerprint", Value: strconv.Itoa(n) + " bytes", Want: "at most 255 bytes"}
	}
	if n := len(h.Origin); n > MaxOrigin {
		return &ConfigError{Name: "Origin", Value: strconv.Itoa(n) + " bytes", Want: "at most 64 bytes"}
	}
	return nil
}

func (h Header) len() int {
	n := fixedLen + len(h.Owner) + len(h.Fingerprint)
	if h.Origin != "" {
		n += 1 + len(h.Origin)
	}
	return n
}

// append adds the header to b. flags are those of the payload.
func (h Header) append(b []byte, flags byte) []byte {
	if h.Tombstone {
		flags |= flagTombstone
	}
	if h.Origin != "" {
		flags |= flagOrigin
	}
	b = append(b, magic, version, flags)
	b = append(b, byte(len(h.Owner)))
	b = append(b, h.Owner...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Fence))
	b = append(b, byte(len(h.Fingerprint)))
	b = append(b, h.Fingerprint...)
	if h.Origin != "" {
		b = append(b, byte(len(h.Origin)))
		b = append(b, h.Origin...)
	}
	return b
}

// parse takes a value apart, once it has made sure that the value is a whole record in this format,
// written for this key. The payload that it returns is part of value, and must not be written to.
func parse(key, value string) (Record, error) {
	if err := checkBeginning(value, fixedLen+sumLen); err != nil {
		return Record{}, err
	}
	body := value[:len(value)-sumLen]
	if checksum(key, bytesOf(body)) != binary.BigEndian.Uint32(bytesOf(value[len(body):])) {
		return Record{}, corrupt("the checksum differs: damaged, cut short, or the record of another key")
	}
	return parseHeader(body)
}

// checkBeginning returns an error unless a value begins as a record of this version, and has least
// bytes.
func checkBeginning(value string, least int) error {
	switch {
	case value == "":
		return corrupt("the value is empty")
	case value[0] != magic:
		return corrupt("not a record: the value begins with byte %#02x", value[0])
	case len(value) >= 2 && value[1] != version:
		// This comes before the checksum: nobody knows where another version has its own.
		return corrupt("format version %d, and only %d is known", value[1], version)
	case len(value) < least:
		return corrupt("cut short, to length %d", len(value))
	}
	return nil
}

// parseHeader reads the header of a record of this version, and takes the rest for the payload.
func parseHeader(body string) (Record, error) {
	flags := body[2]
	if unknown := flags &^ flagsKnown; unknown != 0 {
		return Record{}, corrupt("unknown flags %#02x", unknown)
	}

	owner, rest, ok := text(body[3:], maxOwner)
	if !ok || len(rest) < 8 {
		return Record{}, corrupt("the header doesn't fit")
	}
	fence := int64(binary.BigEndian.Uint64(bytesOf(rest)))
	fingerprint, payload, ok := text(rest[8:], maxFingerprint)
	if !ok {
		return Record{}, corrupt("the header doesn't fit")
	}
	var origin string
	if flags&flagOrigin != 0 {
		// An empty one has no flag, so that a header has one form, and its length follows from it.
		if origin, payload, ok = text(payload, MaxOrigin); !ok || origin == "" {
			return Record{}, corrupt("the header doesn't fit")
		}
	}
	return Record{
		Header: Header{Owner: owner, Fence: fence, Fingerprint: fingerprint,
			Tombstone: flags&flagTombstone != 0, Origin: origin},
		flags:   flags,
		payload: bytesOf(payload),
	}, nil
}

// text reads a length byte and that many bytes, at most most.
func text(s string, most int) (field, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	n := int(s[0])
	if s = s[1:]; n > most || n > len(s) {
		return "", "", false
	}
	return s[:n], s[n:], true
}

// checksum covers the key as well: a record that a bug, a script or a mistaken RENAME has put under
// another key must not become the answer to that key.
func checksum(key string, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(bytesOf(key), castagnoli), castagnoli, body)
}

// bytesOf returns the bytes of s without a copy, and nobody may write to them. go-redis returns
// values as strings, and to copy each would cost more than to read its header.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
