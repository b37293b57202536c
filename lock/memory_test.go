package lock

import (
	"testing"
	"time"
)

var raceDetector bool // set by race_test.go

// What a lease allocates on a Redis that answers at once, with what the fake allocates. A service
// pays for a grant and its end with every request, and renews many leases at a time, so that more
// needs a reason. Little of it is left to save here. Of a grant and its commit, 10 are the timeouts
// of the two scripts, and 6 the two commands and their replies.
func TestAllocationsOfALease(t *testing.T) {
	const many = 1000
	l, leases := manyLeases(t, many, nil)
	take := func() *Lease {
		lease, err := l.TryAcquire(t.Context(), "key", Terms{Detached: true})
		if err != nil {
			t.Fatal(err)
		}
		return lease
	}
	for _, tc := range []struct {
		name  string
		times float64 // how many of it a run has
		most  float64
		run   func() error
	}{
		{"acquire and commit", 1, 35, func() error {
			_, err := take().Commit(t.Context(), []byte("value"), time.Minute)
			return err
		}},
		{"acquire and release", 1, 34, func() error { return take().Release(t.Context()) }},
		// A pipeline's own are shared out among its renewals.
		{"renewal", many, 11.1, func() error { l.renewer.renew(leases); return nil }},
	} {
		got := fewestAllocs(func() {
			if err := tc.run(); err != nil {
				t.Fatal(tc.name, ": ", err)
			}
		}) / tc.times
		t.Logf("%s: %v allocations", tc.name, got)
		if raceDetector { // which makes pools forget, now and then
			tc.most += 4
		}
		if got > tc.most {
			t.Errorf("%s: %v allocations, want at most %v", tc.name, got, tc.most)
		}
	}
}

// fewestAllocs returns the fewest allocations of f, on average, in several series. More come of the
// collector, which empties pools, and of goroutines that an earlier test has left.
func fewestAllocs(f func()) float64 {
	fewest := testing.AllocsPerRun(20, f)
	for range 9 {
		fewest = min(fewest, testing.AllocsPerRun(20, f))
	}
	return fewest
}
