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
	flagsKnown     = flagCompressed | flagSealed | flagTombstone

	maxOwner       = 64
	maxFingerprint = 255

	fixedLen = 3 + 1 + 8 + 1 // what every header has: magic, version, flags, two lengths, fence
	sumLen   = 4

	maxOverhead = fixedLen + maxOwner + maxFingerprint + sealLen + sumLen // of a record beside its payload
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Header stands before the payload and can be read without decoding that.
type Header struct {
	Owner       string // who wrote the record, at most 64 bytes
	Fence       int64  // the fencing number of the lease that it was written under
	Fingerprint string // what the record answers, at most 255 bytes
	Tombstone   bool   // it was answered, and the answer isn't kept
}

func (h Header) validate() error {
	if n := len(h.Owner); n > maxOwner {
		return &ConfigError{Name: "Owner", Value: strconv.Itoa(n) + " bytes", Want: "at most 64 bytes"}
	}
	if n := len(h.Fingerprint); n > maxFingerprint {
		return &ConfigError{Name: "Fingerprint", Value: strconv.Itoa(n) + " bytes", Want: "at most 255 bytes"}
	}
	return nil
}

func (h Header) len() int { return fixedLen + len(h.Owner) + len(h.Fingerprint) }

// append adds the header's bytes, and with them the flags of the payload.
func (h Header) append(b []byte, flags byte) []byte {
	if h.Tombstone {
		flags |= flagTombstone
	}
	b = append(b, magic, version, flags)
	b = append(b, byte(len(h.Owner)))
	b = append(b, h.Owner...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Fence))
	b = append(b, byte(len(h.Fingerprint)))
	return append(b, h.Fingerprint...)
}

// parse takes a value apart once it is sure that the value was written by this
// format, whole, for this key. What it returns are parts of value, so the payload
// must not be written to.
func parse(key, value string) (Record, error) {
	switch {
	case value == "":
		return Record{}, corrupt("the value is empty")
	case value[0] != magic:
		return Record{}, corrupt("not a record: the value begins with byte %#02x", value[0])
	case len(value) >= 2 && value[1] != version:
		// Before the checksum: where another version has its own is unknown.
		return Record{}, corrupt("format version %d, and only %d is known", value[1], version)
	case len(value) < fixedLen+sumLen:
		return Record{}, corrupt("cut short, to length %d", len(value))
	}
	body := value[:len(value)-sumLen]
	if checksum(key, view(body)) != binary.BigEndian.Uint32(view(value[len(body):])) {
		return Record{}, corrupt("the checksum differs: damaged, cut short, or the record of another key")
	}
	flags := value[2]
	if unknown := flags &^ flagsKnown; unknown != 0 {
		return Record{}, corrupt("unknown flags %#02x", unknown)
	}

	owner, rest, ok := text(body[3:], maxOwner)
	if !ok || len(rest) < 8 {
		return Record{}, corrupt("the header doesn't fit")
	}
	fence := int64(binary.BigEndian.Uint64(view(rest)))
	fingerprint, payload, ok := text(rest[8:], maxFingerprint)
	if !ok {
		return Record{}, corrupt("the header doesn't fit")
	}
	return Record{
		Header:  Header{Owner: owner, Fence: fence, Fingerprint: fingerprint, Tombstone: flags&flagTombstone != 0},
		flags:   flags,
		payload: view(payload),
	}, nil
}

// text reads a length byte and as many bytes of text.
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

// checksum covers the key too: a record that a bug, a script or a mistaken
// RENAME puts under another key must not become that key's answer.
func checksum(key string, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(view(key), castagnoli), castagnoli, body)
}

// view returns the bytes of s without copying them: go-redis hands values over
// as strings, and a copy of each would cost more than reading the header. Nobody
// may write to the result.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
