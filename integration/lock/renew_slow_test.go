package lock_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// Renewals that a node leaves unanswered, and of more leases than a pipeline carries.

// One that nobody hears leaves time for another, however long it might have been waited for.
func TestOneRenewalThatIsUnheardLosesNothing(t *testing.T) {
	for _, renew := range []time.Duration{time.Second, 1400 * time.Millisecond} {
		for _, timeout := range []time.Duration{time.Second, 1500 * time.Millisecond} {
			t.Run(fmt.Sprint(renew, " ", timeout), func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					for _, m := range []*bubble.Machine{f.Machine(), f.ClusterMachine()} {
						lease := grant(t, m.Locker(lock.Config{TTL: 3 * time.Second, Renew: renew, Timeout: timeout}), anyone)
						var unheard atomic.Bool
						m.Fate(func([]bubble.Command) bubble.Fault {
							if unheard.CompareAndSwap(true, false) {
								return bubble.Unheard
							}
							return bubble.Fault{DelayReply: 100 * time.Millisecond}
						})
						for range 3 {
							unheard.Store(true)
							time.Sleep(6 * time.Second)
							live(t, lease)
						}
						if err := lease.Release(t.Context()); err != nil {
							t.Error(err)
						}
					}
				})
			})
		}
	}
}

// many are leases that last for 3 s and are renewed after 1 s, all taken at once.
func many(t *testing.T, m *bubble.Machine, n int) []*lock.Lease {
	t.Helper()
	l := m.Locker(lock.Config{TTL: 3 * time.Second})
	leases := make([]*lock.Lease, n)
	for i := range leases {
		lease, err := l.TryAcquire(t.Context(), fmt.Sprint("many ", i), anyone)
		if err != nil {
			t.Fatal(err)
		}
		leases[i] = lease
	}
	return leases
}

// A node that is slow, and leaves one pipeline of three unheard when the leases are well into their time,
// loses none of them.
func TestOneUnheardPipelineOfManyLosesNothing(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.Machine()
		leases := many(t, m, 3*512)
		var pipelines atomic.Int32
		m.Fate(func(cmds []bubble.Command) bubble.Fault {
			if cmds[0].Name != "renew" {
				return bubble.Fault{}
			}
			if pipelines.Add(1) == 3 {
				return bubble.Unheard
			}
			return bubble.Fault{DelayReply: 400 * time.Millisecond}
		})
		time.Sleep(5 * time.Second)
		for i, lease := range leases {
			if s := lease.State(); s != lock.Live {
				t.Fatalf("lease %d: state %d", i, s)
			}
		}
	})
}

// Ten thousand leases take a handful of goroutines, and each is renewed once a period. The Redis grants
// and renews whatever it is asked to, which is quicker than Lua.
func TestTenThousandLeasesTakeFewGoroutines(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		const n, periods = 10_000, 10
		var renewed sync.Map // key → *atomic.Int32
		f.Before(func(p *server.Peer, cmd string, args ...string) bool {
			switch {
			case cmd == "EVALSHA" && len(args) == 9: // begin, of six arguments after its key
				p.WriteBulk("L1 1 1700000000000000 86400000 - " + args[3])
			case cmd == "EVALSHA" && len(args) == 6: // renew, of three
				count, _ := renewed.LoadOrStore(args[2], new(atomic.Int32))
				count.(*atomic.Int32).Add(1)
				p.WriteInt(1)
			default:
				return false
			}
			return true
		})
		m := f.Machine()
		leases := many(t, m, n)
		before := runtime.NumGoroutine()
		var most atomic.Int64
		m.Fate(func([]bubble.Command) bubble.Fault {
			most.Store(max(most.Load(), int64(runtime.NumGoroutine())))
			return bubble.Fault{DelayReply: time.Millisecond}
		})
		time.Sleep(periods*time.Second + 500*time.Millisecond)
		if more := int(most.Load()) - before; most.Load() == 0 || more > 16 { // this Redis's, too
			t.Errorf("%d goroutines more than before", more)
		}
		for i, lease := range leases {
			count, _ := renewed.Load(fmt.Sprint("many ", i))
			if times := count.(*atomic.Int32).Load(); times != periods || lease.State() != lock.Live {
				t.Fatalf("lease %d was renewed %d times in %d periods, state %d", i, times, periods, lease.State())
			}
			if err := context.Cause(lease.Context()); err != nil {
				t.Fatalf("lease %d: %v", i, err)
			}
		}
	})
}
