// Package jitter spreads out what would otherwise happen in step.
package jitter

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// N returns a random duration from 0 to d, without d, which is above 0. It draws from crypto/rand, as all chance in
// reprise does, so that a test which seeds that (testing/cryptotest) sees the same again.
func N(d time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % uint64(d))
}
