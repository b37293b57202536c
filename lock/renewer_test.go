package lock

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/reprise-go/reprise/internal/ratelog"
)

// bareLease is a lease that no Redis knows of. cancelled tells why its context ended.
func bareLease(t *testing.T) (l *Lease, cancelled func() error) {
	cfg := Config{TTL: time.Hour}.WithDefaults()
	r := &renewer{cfg: cfg, log: leaseLog{ratelog.New(cfg.Logger)}}
	l = &Lease{grant: &grant{}, renewer: r, index: -1}
	l.ctx, l.cancel = context.WithCancelCause(t.Context())
	l.until = time.Now().Add(cfg.TTL)
	t.Cleanup(func() {
		l.finish(Ended)
		r.timer.Stop()
	})
	return l, func() error { return context.Cause(l.ctx) }
}

func TestLeaseHeapIsInOrderOfNeed(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	start := time.Now()
	var h leaseHeap
	var all []*Lease
	for range 300 {
		l := &Lease{next: start.Add(time.Duration(rnd.IntN(100)) * time.Second)}
		all = append(all, l)
		heap.Push(&h, l)
	}
	// Some end, some are renewed.
	for i, l := range all {
		if l.index < 0 || h[l.index] != l {
			t.Fatalf("seed %d: lease %d thinks it is at %d", seed, i, l.index)
		}
		switch {
		case i%3 == 0:
			heap.Remove(&h, l.index)
		case i%3 == 1:
			l.next = l.next.Add(time.Duration(rnd.IntN(100)) * time.Second)
			heap.Fix(&h, l.index)
		}
	}
	var last time.Time
	for n := len(h); n > 0; n-- {
		l := heap.Pop(&h).(*Lease)
		if l.next.Before(last) {
			t.Fatalf("seed %d: %v comes after %v", seed, l.next.Sub(start), last.Sub(start))
		}
		last = l.next
	}
	if i := slices.IndexFunc(all, func(l *Lease) bool { return l.index != -1 }); i >= 0 {
		t.Errorf("seed %d: lease %d has left the heap and thinks it is at %d", seed, i, all[i].index)
	}
}

func TestScheduleFindsTheEarliest(t *testing.T) {
	now := time.Now()
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	for _, tc := range []struct {
		name                           string
		until, holdEnd, renewAt, wants time.Time
	}{
		{"renewal", at(15), at(600), at(5), at(5)},
		{"end of the hold", at(15), at(4), at(5), at(4)},
		{"end of the lease", at(15), at(600), at(16), at(15)},
		{"renewal under way", at(15), at(600), time.Time{}, at(15)},
		{"hold over", at(15), time.Time{}, time.Time{}, at(15)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := &Lease{until: tc.until, holdEnd: tc.holdEnd, renewAt: tc.renewAt}
			if l.schedule(); !l.next.Equal(tc.wants) {
				t.Errorf("got %v, want %v", l.next.Sub(now), tc.wants.Sub(now))
			}
		})
	}
}

// The timer is set when the first lease comes and when an earlier one does, and otherwise left be.
func TestTimerIsSetOnlyWhenItWouldBeLate(t *testing.T) {
	first, _ := bareLease(t)
	r := first.renewer
	r.add(first)
	if !r.alarm.Equal(first.until) {
		t.Fatalf("alarm in %v, want it when the lease ends", time.Until(r.alarm))
	}
	later := &Lease{grant: &grant{}, renewer: r, until: first.until.Add(time.Minute), index: -1}
	r.add(later)
	if !r.alarm.Equal(first.until) {
		t.Errorf("a later lease moved the alarm to %v", time.Until(r.alarm))
	}
	earlier := &Lease{grant: &grant{}, renewer: r, until: first.until.Add(-time.Minute), index: -1}
	r.add(earlier)
	if !r.alarm.Equal(earlier.until) {
		t.Errorf("an earlier lease is left to an alarm in %v", time.Until(r.alarm))
	}
	r.remove(earlier, Ended)
	if !r.alarm.Equal(earlier.until) || earlier.State() != Ended || earlier.index != -1 {
		t.Errorf("a lease that ended: alarm in %v, state %d, index %d", time.Until(r.alarm), earlier.State(), earlier.index)
	}
}
