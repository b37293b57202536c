package lock

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/reprise-go/reprise/internal/config"
)

// Terms are what a caller asks for with a key. The zero value suits a plain lock.
type Terms struct {
	// Fingerprint of the request, kept in the claim: at most 128 bytes of printable ASCII
	// without spaces. While a key is remembered, it is granted again only for the same one.
	Fingerprint string

	// LeaveAbandoned: don't take over from a holder that failed; return an *AbandonedError.
	LeaveAbandoned bool

	// Scope is whom the caller asks for, such as a tenant. It bounds only how many may wait: see
	// Config.MaxWaitersPerScope.
	Scope string

	// Wait bounds how long Acquire waits for another holder. Zero means until its context ends.
	Wait time.Duration

	// Detached: the end of the caller's context ends the acquiring, but not the lease's context,
	// which still carries its values. For work that goes on when its client hangs up.
	Detached bool
}

// A Claim is what stands under a key while its holder works, and after the holder died until it
// is forgotten. Its form is documented in script/claim.lua.
type Claim struct {
	Attempt     int           // 1 for the key's first grant, one more for each after a failed one
	Fence       int64         // grows with every grant; µs of the Unix epoch, by Redis's clock
	Remember    time.Duration // how long the claim outlives its lease
	Fingerprint string        // Terms.Fingerprint of the holder
	Owner       string        // the holder's token: 16 random bytes in hex
}

// maxFingerprint bounds what a claim carries, so that it stays one short line. A SHA-256 in hex,
// with a version before it, has room.
const maxFingerprint = 128

const noFingerprint = "-"

// inClaim is a fingerprint as a claim has it, for a script's argument.
func inClaim(fingerprint string) any {
	if fingerprint == "" {
		return noFingerprint
	}
	return fingerprint
}

// maxFence is as far as Lua's numbers, which are float64, count exactly: microseconds until 2255.
const maxFence = 1<<53 - 1

// parseClaim reads a claim; ok is false for any other text. It knows exactly what parse in
// script/claim.lua knows for one: where Lua grants and Go reads, they must not differ. It allocates
// nothing.
func parseClaim(s string) (c Claim, ok bool) {
	rest, ok := strings.CutPrefix(s, "L1 ")
	if !ok {
		return Claim{}, false
	}
	attempt, rest, _ := strings.Cut(rest, " ")
	fence, rest, _ := strings.Cut(rest, " ")
	remember, rest, _ := strings.Cut(rest, " ")
	fingerprint, owner, _ := strings.Cut(rest, " ")

	n, ok1 := number(attempt, 9)
	f, ok2 := number(fence, 16)
	ms, ok3 := number(remember, 12)
	if !ok1 || !ok2 || !ok3 || attempt[0] == '0' || f > maxFence || ms > config.TenYears.Milliseconds() ||
		!isFingerprint(fingerprint) || fingerprint == "" || !isToken(owner) {
		return Claim{}, false
	}
	if fingerprint == noFingerprint {
		fingerprint = ""
	}
	return Claim{
		Attempt:     int(n),
		Fence:       f,
		Remember:    time.Duration(ms) * time.Millisecond,
		Fingerprint: fingerprint,
		Owner:       owner,
	}, true
}

// number reads a decimal number of so many digits at most.
func number(s string, digits int) (n int64, ok bool) {
	if s == "" || len(s) > digits {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = 10*n + int64(s[i]-'0')
	}
	return n, true
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
	if len(s) != 32 {
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

// checkValue accepts what can be told from a claim and from nothing.
func checkValue[T ~string | ~[]byte](value T) error {
	if len(value) == 0 || value[0] == 'L' {
		return errors.New("value: want at least one byte, and not the letter L first")
	}
	return nil
}
