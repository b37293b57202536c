package lock_test

import (
	"errors"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

func TestCommitIsStored(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		lease := grant(t, f.Machine().Locker(lock.Config{}), anyone)
		commit(t, lease, lock.StoredNow)
		stands(t, f, string(value(lease)))
		if left := f.Redis.TTL(key); left != retention {
			t.Errorf("kept for %v, want %v", left, retention)
		}
		if lease.State() != lock.Ended || lease.Context().Err() == nil {
			t.Errorf("state %d, context %v, want Ended", lease.State(), lease.Context().Err())
		}
		other := f.Machine().Locker(lock.Config{})
		for _, terms := range []lock.Terms{{}, {Fingerprint: "other"}, {LeaveAbandoned: true}} {
			if done := refused[*lock.DoneError](t, other, terms); done.Value != string(value(lease)) {
				t.Errorf("replayed %q, want %q", done.Value, value(lease))
			}
		}
		time.Sleep(retention)
		if next := grant(t, other, anyone); next.Attempt() != 1 {
			t.Errorf("attempt %d, want 1", next.Attempt())
		}
	})
}

func TestCommitWantsAValueThatCanBeToldFromAClaim(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.Machine()
		lease := grant(t, m.Locker(lock.Config{}), anyone)
		claim, _ := f.Redis.Get(key)
		for _, v := range []string{"", "L", "L1 record", claim} {
			if stored, err := lease.Commit(t.Context(), []byte(v), retention); stored != 0 || err == nil || errors.Is(err, lock.ErrUnavailable) {
				t.Errorf("%q: got %d, %v, want a refusal", v, stored, err)
			}
		}
		for _, d := range []time.Duration{0, -time.Second, time.Millisecond - 1} {
			if stored, err := lease.Commit(t.Context(), value(lease), d); stored != 0 || err == nil {
				t.Errorf("kept for %v: got %d, %v, want a refusal", d, stored, err)
			}
		}
		m.WantTrips("begin")
		stands(t, f, claim)
		live(t, lease) // the mistake costs nothing: the holder can still commit
		commit(t, lease, lock.StoredNow)
	})
}

// lapse makes a lease run out under its holder, whom Redis doesn't hear any more.
func lapse(t *testing.T, m *bubble.Machine, lease *lock.Lease) {
	t.Helper()
	m.Freeze()
	m.OnNext(100, "renew", bubble.LoseCommand)
	time.Sleep(ttl)
	m.Thaw()
	m.Heal()
	ended(t, lease, lock.ErrLost)
}

func TestFirstCommittedAnswerWins(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a, b := f.Machine(), f.Machine()
		late := grant(t, a.Locker(lock.Config{}), anyone)
		lapse(t, a, late)
		winner := grant(t, b.Locker(lock.Config{}), anyone)
		commit(t, winner, lock.StoredNow)

		stored, err := late.Commit(t.Context(), value(late), retention)
		is(t, err, lock.ErrLost, lock.ErrDone)
		if done, _ := errors.AsType[*lock.DoneError](err); stored != 0 || done == nil || done.Value != string(value(winner)) {
			t.Errorf("got %d, %v, want the winner's value", stored, err)
		}
		stands(t, f, string(value(winner)))
	})
}

func TestLateCommitIsRefusedWhileAnotherHolds(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a, b := f.Machine(), f.Machine()
		late := grant(t, a.Locker(lock.Config{}), anyone)
		lapse(t, a, late)
		next := grant(t, b.Locker(lock.Config{}), anyone)

		_, err := late.Commit(t.Context(), value(late), retention)
		is(t, err, lock.ErrLost, lock.ErrHeld)
		if held, _ := errors.AsType[*lock.HeldError](err); held == nil || held.Claim.Owner != next.Owner() || held.Left != ttl {
			t.Errorf("got %v, want the next holder's claim", err)
		}

		if err := next.Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err = late.Commit(t.Context(), value(late), retention)
		is(t, err, lock.ErrLost, lock.ErrAbandoned)
	})
}

func TestCommitOfALapsedLeaseIsStoredIfNobodyTookOver(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		late := grant(t, a.Locker(lock.Config{}), anyone)
		lapse(t, a, late)
		refused[*lock.AbandonedError](t, f.Machine().Locker(lock.Config{}), lock.Terms{LeaveAbandoned: true})
		commit(t, late, lock.StoredNow)
		stands(t, f, string(value(late)))
	})
}

// Redis restarted empty, or evicted the key.
func TestCommitIsStoredThoughTheKeyHasVanished(t *testing.T) {
	for name, wait := range map[string]time.Duration{"before a renewal notices": 0, "after": ttl} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				lease := grant(t, f.Machine().Locker(lock.Config{}), anyone)
				f.Redis.FlushAll()
				time.Sleep(wait)
				if wait > 0 {
					ended(t, lease, lock.ErrLost)
				}
				commit(t, lease, lock.StoredUnclaimed)
				stands(t, f, string(value(lease)))
			})
		})
	}
}

func TestVanishedKeyIsGrantedAgainAndTheFirstToCommitWins(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a, b := f.Machine(), f.Machine()
		first := grant(t, a.Locker(lock.Config{}), anyone)
		f.Redis.FlushAll()
		second := grant(t, b.Locker(lock.Config{}), anyone)
		commit(t, second, lock.StoredNow)
		_, err := first.Commit(t.Context(), value(first), retention)
		is(t, err, lock.ErrLost, lock.ErrDone)
		ended(t, first, lock.ErrLost)
	})
}
