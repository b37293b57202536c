// Package charset provides sets of bytes, such as the characters that a syntax allows.
package charset

import "strconv"

// A Set is a set of bytes, with one bit for each.
type Set [4]uint64

// New returns the union of ranges. Each is one byte ("-") or the first and last of a range ("A-Z").
// New panics if one is neither.
func New(ranges ...string) (set Set) {
	for _, r := range ranges {
		if len(r) != 1 && (len(r) != 3 || r[1] != '-' || r[0] > r[2]) {
			panic("charset: " + strconv.Quote(r) +
				" is no range of bytes, want one byte or two with a hyphen between")
		}
		for b := int(r[0]); b <= int(r[len(r)-1]); b++ {
			set[b>>6] |= 1 << (b & 63)
		}
	}
	return set
}

// Span returns the length of the longest prefix of s whose bytes are all in the set.
func (c *Set) Span(s string) int {
	for i := range len(s) {
		if c[s[i]>>6]>>(s[i]&63)&1 == 0 {
			return i
		}
	}
	return len(s)
}
