// Package jitter draws random durations, so that many clients don't retry at the same instant.
package jitter

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// N returns a random duration of at least 0 and less than d, which must be above 0. It uses
// crypto/rand, as all of reprise does, so that a test which seeds that (testing/cryptotest) is
// repeatable.
func N(d time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % uint64(d))
}
