package lock_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// A server that doesn't know a script gets its source with the next attempt: a new one, a replica
// that was promoted, or any after SCRIPT FLUSH.

func flush(t *testing.T, m *bubble.Machine) {
	t.Helper()
	if err := m.Client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	m.Trips()
}

func TestEveryTransitionSurvivesScriptFlush(t *testing.T) {
	for op, end := range map[string]func(*testing.T, *lock.Lease) error{
		"commit": func(t *testing.T, l *lock.Lease) error {
			_, err := l.Commit(t.Context(), value(l), retention)
			return err
		},
		"abandon": func(t *testing.T, l *lock.Lease) error { return l.Abandon(t.Context()) },
		"release": func(t *testing.T, l *lock.Lease) error { return l.Release(t.Context()) },
	} {
		t.Run(op, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine()
				l := a.Locker(lock.Config{})
				flush(t, a)
				lease := grant(t, l, anyone)
				a.WantTrips("begin", "load begin")
				flush(t, a)
				if err := end(t, lease); err != nil {
					t.Fatal(err)
				}
				a.WantTrips(op, "load "+op)

				// From then on it is known again.
				f.Redis.FlushAll()
				flush(t, a)
				for range 2 {
					if err := end(t, grant(t, l, anyone)); err != nil {
						t.Fatal(err)
					}
					f.Redis.FlushAll()
				}
				a.WantTrips("begin", "load begin", op, "load "+op, "begin", op)
			})
		})
	}
}

func TestRenewalSurvivesScriptFlushInsideAPipeline(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		l := a.Locker(lock.Config{})
		var leases []*lock.Lease
		for _, k := range strings.Split("abcdefgh", "") {
			lease, err := l.TryAcquire(t.Context(), k, anyone)
			if err != nil {
				t.Fatal(err)
			}
			leases = append(leases, lease)
		}
		flush(t, a)
		time.Sleep(6 * time.Second)
		for _, lease := range leases {
			live(t, lease)
		}
		if trips := a.Trips(); trips[0] != "renew*8" {
			t.Errorf("round trips: %q", trips)
		}
		time.Sleep(5 * time.Second)
		a.WantTrips("renew*8")
	})
}

// A reply that is lost in between, too.
func TestScriptFlushAndALostReply(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		flush(t, a)
		a.On("load begin", bubble.LoseReply)
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		if lease.Attempt() != 1 {
			t.Errorf("attempt %d, want 1", lease.Attempt())
		}
		a.WantTrips("begin", "load begin", "load begin")
	})
}
