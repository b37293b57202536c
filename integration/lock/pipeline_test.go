package lock_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// Scripts of many callers in shared pipelines.

// inFlight is how many round trips may be under way before a script waits for one of them.
const inFlight = 2

// occupied lets so many grants be under way for a time that whoever comes meanwhile waits for the next
// pipeline. It returns a function that waits for them.
func occupied(t *testing.T, m *bubble.Machine, l *lock.Locker, d time.Duration) (free func()) {
	t.Helper()
	m.OnNext(inFlight, "begin", bubble.Fault{DelayReply: d})
	var all sync.WaitGroup
	for i := range inFlight {
		all.Go(func() {
			if _, err := l.TryAcquire(context.Background(), fmt.Sprint("occupied ", i), anyone); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(time.Millisecond)
	m.Trips()
	return all.Wait
}

// asks starts so many grants, each of a key of its own, and returns what they come to.
func asks(t *testing.T, ctx context.Context, l *lock.Locker, n int) func() ([]*lock.Lease, []error) {
	t.Helper()
	leases, errs := make([]*lock.Lease, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { leases[i], errs[i] = l.TryAcquire(ctx, fmt.Sprint("key ", i), anyone) })
	}
	time.Sleep(time.Millisecond)
	return func() ([]*lock.Lease, []error) { all.Wait(); return leases, errs }
}

// served waits for grants, and fails the test unless all came.
func served(t *testing.T, wait func() ([]*lock.Lease, []error)) []*lock.Lease {
	t.Helper()
	leases, errs := wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return leases
}

// Who comes while few are in flight goes alone; who comes after that goes with all who wait. What ends
// leases goes before what would begin some.
func TestCrowdSharesPipelines(t *testing.T) {
	for name, tc := range map[string]struct {
		policy lock.Pipeline
		want   []string
	}{
		"default": {"", []string{"commit+begin*100"}},
		"auto":    {lock.PipelineAuto, []string{"commit+begin*100"}},
		"off":     {lock.PipelineOff, append(slices.Repeat([]string{"begin"}, 100), "commit")},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				m := f.Machine(wide)
				l := m.Locker(lock.Config{Pipeline: tc.policy})
				lease := grant(t, l, anyone)
				free := occupied(t, m, l, roundTrip)
				all := asks(t, t.Context(), l, 100)
				commit(t, lease, lock.StoredNow)
				served(t, all)
				free()
				m.WantTrips(tc.want...)
			})
		})
	}
}

// Alone, nothing is different.
func TestOneCallerGoesAlone(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.Machine()
		l := m.Locker(lock.Config{})
		for range 2 {
			if err := grant(t, l, anyone).Release(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		m.WantTrips("begin", "release", "begin", "release")
	})
}

// A pipeline of many whose scripts the node has forgotten costs one more round trip, and one source.
func TestForgottenScriptsCostAPipelineOneRoundTrip(t *testing.T) {
	for _, kind := range []string{"single", "cluster"} {
		t.Run(kind, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				m := f.Machine(narrow)
				if kind == "cluster" {
					m = f.ClusterMachine(func(o *redis.ClusterOptions) { o.PoolSize = connections })
				}
				l := m.Locker(lock.Config{})
				free := occupied(t, m, l, roundTrip)
				flush(t, m)
				slow(m)
				start := time.Now()
				leases := served(t, asks(t, t.Context(), l, 2000))
				free()
				// Two pipelines of 512 at once, with and without the scripts, and then the rest.
				if took := time.Since(start); took > 5*roundTrip {
					t.Errorf("it took %v, want at most five round trips of %v", took, roundTrip)
				}
				if n := strings.Count(strings.Join(m.Trips(), " "), "load begin"); n < 1 || n > inFlight {
					t.Errorf("the source was sent %d times, want once for each pipeline in flight", n)
				}
				var all sync.WaitGroup
				for _, lease := range leases {
					all.Go(func() {
						if err := lease.Release(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
				if n := strings.Count(strings.Join(m.Trips(), " "), "load release"); n < 1 || n > inFlight {
					t.Errorf("the source was sent %d times, want once for each round trip in flight", n)
				}
			})
		})
	}
}

// A slot that has moved takes away the command that would have told the node the script.
func TestForgottenScriptAndARedirect(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var moving atomic.Bool
		f.Before(func(p *server.Peer, cmd string, _ ...string) bool {
			if cmd == "EVAL" && moving.CompareAndSwap(true, false) {
				p.WriteError("MOVED 7629 redis:6379")
				return true
			}
			return false
		})
		m := f.ClusterMachine()
		l := m.Locker(lock.Config{})
		free := occupied(t, m, l, roundTrip)
		flush(t, m)
		moving.Store(true)
		served(t, asks(t, t.Context(), l, 100))
		free()
	})
}

// Who leaves before a pipeline takes the script sends nothing.
func TestCallersWhoLeaveBeforeAPipelineGoesSendNothing(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.Machine()
		l := m.Locker(lock.Config{})
		free := occupied(t, m, l, roundTrip)
		ctx, leave := context.WithCancelCause(t.Context())
		all := asks(t, ctx, l, 1000)
		start := time.Now()
		leave(errLeft)
		_, errs := all()
		for _, err := range errs {
			if !errors.Is(err, errLeft) || errors.Is(err, lock.ErrUnavailable) {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("they were kept for %v", took)
		}
		free()
		time.Sleep(time.Second)
		m.WantTrips()
	})
}

// Long values, and scripts that replicas have to confirm, wait for no pipeline and hold none up.
func TestLongValuesGoAlone(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.Machine()
		l := m.Locker(lock.Config{})
		leases := served(t, asks(t, t.Context(), l, 2))
		free := occupied(t, m, l, roundTrip)
		for i, size := range []int{16<<10 + 1, 16 << 10} {
			start := time.Now()
			v := fmt.Appendf(nil, "R %*s", size-2, leases[i].Owner())
			if _, err := leases[i].Commit(t.Context(), v, retention); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(start) > 0; waited != (i == 1) {
				t.Errorf("%d bytes: waited %v", len(v), waited)
			}
		}
		free()
	})
}

// So does what may find one: a client that reads from replicas has a script bring it.
func TestScriptsThatBringLongValuesGoAlone(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Before(func(p *server.Peer, cmd string, _ ...string) bool {
			if cmd != "READONLY" {
				return false
			}
			p.WriteOK()
			return true
		})
		m := f.ClusterMachine(func(o *redis.ClusterOptions) { o.ReadOnly = true })
		l := m.Locker(lock.Config{})
		free := occupied(t, m, l, roundTrip)
		served(t, asks(t, t.Context(), l, 15))
		free()
		m.WantTrips(slices.Repeat([]string{"begin"}, 15)...)
	})
}

func TestAckedScriptsGoAlone(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Replicas(1)
		m := f.Machine()
		l := m.Locker(lock.Config{Acks: 1})
		served(t, asks(t, t.Context(), l, 15))
		if trips := m.Trips(); len(trips) != 15 || times(trips, "begin+WAIT") != 15 {
			t.Errorf("round trips: %q", trips)
		}
	})
}

// A value that a caller gave up to commit is its own again, whatever is still on its way.
func TestValueOfACommitThatWasGivenUpIsTheCallers(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.Machine()
		l := m.Locker(lock.Config{})
		lease := grant(t, l, anyone)
		free := occupied(t, m, l, 400*time.Millisecond)
		m.On("commit", bubble.Fault{DelayCommand: time.Hour})
		v := value(lease)
		want := string(v)
		if _, err := lease.Commit(t.Context(), v, retention); !errors.Is(err, lock.ErrUnavailable) {
			t.Fatal(err)
		}
		copy(v, "R overwritten")
		m.Break() // it is sent again
		free()
		time.Sleep(time.Second)
		stands(t, f, want)
	})
}

// A blocked connection takes nothing long until its gate is open.
type blocked struct {
	net.Conn
	gate <-chan struct{}
}

func (b blocked) Write(p []byte) (int, error) {
	if len(p) > 1<<10 {
		<-b.gate
	}
	return b.Conn.Write(p)
}

// So it is where the client goes on writing it after Timeout, to a server that has stopped reading.
func TestValueOfACommitThatIsStillBeingWrittenIsTheCallers(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		gate := make(chan struct{})
		l := f.Machine(disobedient, func(o *redis.Options) {
			near := o.Dialer
			o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := near(ctx, network, addr)
				return blocked{conn, gate}, err
			}
		}).Locker(lock.Config{})
		lease := grant(t, l, anyone)
		v := fmt.Appendf(nil, "R %s%s", lease.Owner(), strings.Repeat("x", 128<<10))
		want := string(v)
		if _, err := lease.Commit(t.Context(), v, retention); !errors.Is(err, lock.ErrUnavailable) {
			t.Fatal(err)
		}
		clear(v)
		close(gate)
		time.Sleep(time.Second)
		if got, _ := f.Redis.Get(key); got != want {
			t.Errorf("stored are %d bytes, of which %d are as committed", len(got), strings.Count(got, "x"))
		}
	})
}
