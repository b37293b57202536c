// Package uuid writes UUIDs.
package uuid

import "encoding/hex"

// Format returns b as a UUID of this version, in the form of RFC 9562 §4. Six bits of b give way to
// version and variant.
func Format(version byte, b [16]byte) string {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
