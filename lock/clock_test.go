package lock

import (
	"testing"
	"time"
	"unsafe"
)

// stepped returns t as a clock would read whose wall time is d further than its monotonic time
// says: after NTP has set it (d of either sign), or after the machine was suspended, when Linux's
// monotonic clock stood still (d > 0).
//
// No function of package time makes such a value. It relies on time.Time beginning with a uint64
// whose bits 30 to 62 are the wall clock's seconds if bit 63 says that there is a monotonic
// reading, as there is in what time.Now returns; TestSteppedClock holds it to that.
func stepped(t time.Time, d time.Duration) time.Time {
	wall := (*uint64)(unsafe.Pointer(&t))
	*wall += uint64(int64(d/time.Second)) << 30
	return t
}

func TestSteppedClock(t *testing.T) {
	now := time.Now()
	for _, d := range []time.Duration{time.Hour, -time.Hour} {
		then := stepped(now, d)
		if then.Sub(now) != 0 || then.Round(0).Sub(now.Round(0)) != d {
			t.Fatalf("monotonic clock %v further, wall clock %v, want 0 and %v", then.Sub(now), then.Round(0).Sub(now.Round(0)), d)
		}
	}
}

func TestRemainingIsTheLesserOfTwoClocks(t *testing.T) {
	start := time.Now()
	until := start.Add(15 * time.Second)
	for _, tc := range []struct {
		name      string
		monotonic time.Duration // passed since start
		step      time.Duration // of the wall clock beside it
		want      time.Duration
	}{
		{"both agree", 5 * time.Second, 0, 10 * time.Second},
		{"just over", 15 * time.Second, 0, 0},
		{"suspended for less than the lease", 5 * time.Second, 6 * time.Second, 4 * time.Second},
		{"suspended for longer than the lease", 1 * time.Second, time.Hour, 14*time.Second - time.Hour},
		{"wall clock set back", 14 * time.Second, -time.Hour, time.Second},
		{"wall clock set back after the end", 16 * time.Second, -time.Hour, -time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := stepped(start.Add(tc.monotonic), tc.step)
			if got := remaining(until, now); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// A lease whose machine slept through its end is lost at the first look, though the monotonic
// clock says that it has most of its time left.
func TestSuspendedMachineLosesItsLease(t *testing.T) {
	l, cancelled := bareLease(t)
	l.until = stepped(l.until, -time.Hour)
	r := l.renewer
	r.add(l)
	l.renewAt = time.Now()
	l.schedule()
	r.tick()
	if l.State() != Lost || l.index != -1 || cancelled() != ErrLost {
		t.Errorf("state %d, cause %v, want Lost and ErrLost", l.State(), cancelled())
	}
}
