package lock_test

import (
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

func TestDeadHoldersKeyIsTakenOverAsAttemptTwo(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a, b := f.Machine(), f.Machine()
		terms := lock.Terms{Fingerprint: "one"}
		first := grant(t, a.Locker(lock.Config{}), terms)
		a.Down() // the process is gone, and never says so

		other := b.Locker(lock.Config{})
		time.Sleep(ttl - time.Millisecond)
		if held := refused[*lock.HeldError](t, other, terms); held.Left != time.Millisecond {
			t.Errorf("%v left, want 1ms", held.Left)
		}
		time.Sleep(time.Millisecond)
		second := grant(t, other, terms)
		if second.Attempt() != 2 || second.Fence() <= first.Fence() {
			t.Errorf("attempt %d, fence %d after %d", second.Attempt(), second.Fence(), first.Fence())
		}
		if second.Owner() == first.Owner() {
			t.Error("the token is the first holder's")
		}
	})
}

func TestAbandonedKeyIsTakenOverAtOnce(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a, b := f.Machine(), f.Machine()
		terms := lock.Terms{Fingerprint: "one"}
		first := grant(t, a.Locker(lock.Config{}), terms)
		if err := first.Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.WantTrips("begin", "abandon")
		if first.State() != lock.Ended || first.Context().Err() == nil {
			t.Errorf("state %d, context %v, want Ended", first.State(), first.Context().Err())
		}
		second := grant(t, b.Locker(lock.Config{}), terms)
		if second.Attempt() != 2 || second.Fence() <= first.Fence() {
			t.Errorf("attempt %d, fence %d after %d", second.Attempt(), second.Fence(), first.Fence())
		}
	})
}

// For as long as a claim is remembered, its key is its first request's.
func TestAbandonedKeyIsNotGrantedToAnotherRequest(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		l := f.Machine().Locker(lock.Config{})
		first := grant(t, l, lock.Terms{Fingerprint: "one"})
		if err := first.Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, terms := range []lock.Terms{{}, {Fingerprint: "other"}, {Fingerprint: "on"}, {Fingerprint: "one."}} {
			left := refused[*lock.AbandonedError](t, l, terms)
			if left.Claim.Owner != first.Owner() || left.Claim.Fingerprint != "one" || left.Claim.Attempt != 1 {
				t.Errorf("%q: %+v", terms.Fingerprint, left.Claim)
			}
		}
		grant(t, l, lock.Terms{Fingerprint: "one"})
	})
}

func TestLeaveAbandonedLeavesIt(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		l := f.Machine().Locker(lock.Config{})
		terms := lock.Terms{Fingerprint: "one", LeaveAbandoned: true}
		first := grant(t, l, terms)
		if err := first.Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			left := refused[*lock.AbandonedError](t, l, terms)
			want := lock.Claim{Attempt: 1, Fence: first.Fence(), Remember: remember, Fingerprint: "one", Owner: first.Owner()}
			if left.Claim != want {
				t.Errorf("got %+v, want %+v", left.Claim, want)
			}
		}
		// Another may take it over all the same.
		if second := grant(t, l, lock.Terms{Fingerprint: "one"}); second.Attempt() != 2 {
			t.Errorf("attempt %d, want 2", second.Attempt())
		}
	})
}

// Remember stands in the claim, so that machines with other settings agree on its state.
func TestClaimIsForgottenAfterRemember(t *testing.T) {
	for name, die := range map[string]func(*testing.T, *lock.Lease, *bubble.Machine){
		"abandoned": func(t *testing.T, l *lock.Lease, _ *bubble.Machine) {
			if err := l.Abandon(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"died": func(_ *testing.T, _ *lock.Lease, m *bubble.Machine) {
			m.Down()
			time.Sleep(ttl)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine()
				first := grant(t, a.Locker(lock.Config{Remember: time.Hour}), anyone)
				die(t, first, a)
				other := f.Machine().Locker(lock.Config{Remember: 48 * time.Hour, TTL: time.Minute})
				time.Sleep(time.Hour - time.Millisecond)
				refused[*lock.AbandonedError](t, other, lock.Terms{LeaveAbandoned: true})
				time.Sleep(time.Millisecond)
				if next := grant(t, other, lock.Terms{LeaveAbandoned: true}); next.Attempt() != 1 {
					t.Errorf("attempt %d, want 1", next.Attempt())
				}
			})
		})
	}
}

// A holder that gives up after it has lost the key leaves what the next one has there alone.
func TestGivingUpLateTouchesNothing(t *testing.T) {
	for name, giveUp := range map[string]func(*lock.Lease, *testing.T) error{
		"release": func(l *lock.Lease, t *testing.T) error { return l.Release(t.Context()) },
		"abandon": func(l *lock.Lease, t *testing.T) error { return l.Abandon(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a, b := f.Machine(), f.Machine()
				late := grant(t, a.Locker(lock.Config{}), anyone)
				a.Freeze()
				time.Sleep(ttl)
				a.Thaw()
				other := b.Locker(lock.Config{})
				second := grant(t, other, anyone)
				before, _ := f.Redis.Get(key)

				err := giveUp(late, t)
				is(t, err, lock.ErrLost, lock.ErrHeld)
				stands(t, f, before)

				commit(t, second, lock.StoredNow)
				is(t, giveUp(late, t), lock.ErrLost, lock.ErrDone)
				stands(t, f, string(value(second)))
			})
		})
	}
}
