// Package charset has sets of bytes, such as those that a syntax allows.
package charset

import "strconv"

// A Set is a set of bytes, one bit each.
type Set [4]uint64

// New returns the union of ranges, each one byte ("-") or the first and last of a run ("A-Z"). It panics if one is neither.
func New(ranges ...string) (set Set) {
	for _, r := range ranges {
		if len(r) != 1 && (len(r) != 3 || r[1] != '-' || r[0] > r[2]) {
			panic("charset: " + strconv.Quote(r) + " is no range of bytes, want one byte or two with a hyphen between")
		}
		for b := int(r[0]); b <= int(r[len(r)-1]); b++ {
			set[b>>6] |= 1 << (b & 63)
		}
	}
	return set
}

// Span returns how many bytes s begins with that are in the set.
func (c *Set) Span(s string) int {
	for i := range len(s) {
		if c[s[i]>>6]>>(s[i]&63)&1 == 0 {
			return i
		}
	}
	return len(s)
}
