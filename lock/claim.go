package lock

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Claim is what stands under a key while its holder works, and after the holder died until it
// is forgotten. Its form is documented in script/claim.lua.
type Claim struct {
	Attempt     int           // 1 for the first grant of the key, one more for each after a failed one
	Fence       int64         // grows with every grant; microseconds of the Unix epoch, by Redis's clock
	Remember    time.Duration // how long the claim outlives its lease
	Fingerprint string        // Terms.Fingerprint of the holder
	Owner       string        // the holder's token: 16 random bytes in hex
}

// maxFingerprint bounds what a claim carries, so that it stays one short line. A SHA-256 in hex,
// with a version before it, has room.
const maxFingerprint = 128

const noFingerprint = "-"

// parseClaim reads a claim; ok is false for any other text. It allocates nothing.
func parseClaim(s string) (c Claim, ok bool) {
	rest, ok := strings.CutPrefix(s, "L1 ")
	if !ok {
		return Claim{}, false
	}
	attempt, rest, _ := strings.Cut(rest, " ")
	fence, rest, _ := strings.Cut(rest, " ")
	remember, rest, _ := strings.Cut(rest, " ")
	fingerprint, owner, _ := strings.Cut(rest, " ")

	n, err1 := strconv.ParseUint(attempt, 10, 31)
	f, err2 := strconv.ParseUint(fence, 10, 63)
	ms, err3 := strconv.ParseUint(remember, 10, 63)
	if err1 != nil || err2 != nil || err3 != nil || n == 0 || ms > uint64(maxDuration.Milliseconds()) ||
		!isFingerprint(fingerprint) || fingerprint == "" || !isToken(owner) {
		return Claim{}, false
	}
	if fingerprint == noFingerprint {
		fingerprint = ""
	}
	return Claim{
		Attempt:     int(n),
		Fence:       int64(f),
		Remember:    time.Duration(ms) * time.Millisecond,
		Fingerprint: fingerprint,
		Owner:       owner,
	}, true
}

// newToken returns an owner token. 16 bytes, so that no two claims of a fleet ever share one.
func newToken() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	var s [32]byte
	hex.Encode(s[:], b[:])
	return string(s[:])
}

func isToken(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isFingerprint accepts what can stand in a claim: printable ASCII without a space.
func isFingerprint(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= maxFingerprint
}

func checkKey(key string, t Terms) error {
	if key == "" {
		return &KeyError{Field: "key", Want: "at least one byte"}
	}
	if !isFingerprint(t.Fingerprint) || t.Fingerprint == noFingerprint {
		return &KeyError{Field: "fingerprint", Want: fmt.Sprintf(
			"at most %d bytes of printable ASCII without spaces, other than %q", maxFingerprint, noFingerprint)}
	}
	return nil
}
