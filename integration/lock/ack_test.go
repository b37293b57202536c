package lock_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

var acked = lock.Config{Acks: 2, AckWithin: 100 * time.Millisecond}

// unconfirmed checks that too few replicas are the reason, and how many they were.
func unconfirmed(t *testing.T, err error, acks int) {
	t.Helper()
	e, ok := errors.AsType[*lock.UnconfirmedError](err)
	if !ok || e.Acks != acks || e.Want != 2 || !errors.Is(err, lock.ErrUnconfirmed) {
		t.Errorf("got %v, want %d of 2 replicas", err, acks)
	}
}

// In acked mode, a claim, its renewals and its commit ask the replicas, on the same connection and in
// the same round trip.
func TestAckedTrips(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Replicas(2)
		for _, a := range []*bubble.Machine{f.Machine(), f.ClusterMachine()} {
			l := a.Locker(acked)
			lease := grant(t, l, anyone)
			refused[*lock.HeldError](t, l, anyone)
			time.Sleep(ttl/3 + time.Second)
			live(t, lease)
			commit(t, lease, lock.StoredNow)
			a.WantTrips("begin+WAIT", "begin+WAIT", "renew+WAIT", "commit+WAIT")

			f.Redis.Del(key)
			grant(t, l, anyone).Release(t.Context())
			a.WantTrips("begin+WAIT", "release")
		}
	})
}

// A scan changes nothing that a replica could confirm: it neither waits for one, nor needs the right to.
func TestScanAsksNoReplica(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Replicas(0)
		m := f.Machine()
		l := m.Locker(acked)
		for i := range 50 {
			f.Redis.Set(fmt.Sprint("a:", i), "R value")
		}
		if all, err := scanned(t.Context(), t, l, lock.Scan{}); err != nil || len(all) != 50 {
			t.Errorf("%d keys, %v", len(all), err)
		}
		if trips := m.Trips(); times(trips, "inspect*50") != 1 {
			t.Errorf("round trips: %q, want one of the keys without WAIT", trips)
		}
	})
}

func TestUnconfirmedClaimIsGivenBack(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		replicas := f.Replicas(1)
		l := f.Machine().Locker(acked)
		lease, err := l.TryAcquire(t.Context(), key, anyone)
		if lease != nil {
			t.Error("granted")
		}
		is(t, err, lock.ErrUnavailable)
		unconfirmed(t, err, 1)
		free(t, f)

		replicas.Store(2)
		if lease := grant(t, l, anyone); lease.Attempt() != 1 {
			t.Errorf("attempt %d, want 1: nobody has worked", lease.Attempt())
		}
	})
}

// What the attempts before it did is as unknown as before.
func TestUnconfirmedTakeoverIsGivenBack(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		replicas := f.Replicas(2)
		l := f.Machine().Locker(acked)
		_ = grant(t, l, anyone).Abandon(t.Context())
		replicas.Store(0)
		_, err := l.TryAcquire(t.Context(), key, anyone)
		unconfirmed(t, err, 0)
		replicas.Store(2)
		if lease := grant(t, l, anyone); lease.Attempt() != 2 {
			t.Errorf("attempt %d, want 2: only the first has worked", lease.Attempt())
		}
	})
}

func TestUnconfirmedCommitIsStored(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		replicas := f.Replicas(2)
		l := f.Machine().Locker(acked)
		lease := grant(t, l, anyone)
		replicas.Store(1)
		stored, err := lease.Commit(t.Context(), value(lease), retention)
		if stored != lock.StoredNow || errors.Is(err, lock.ErrUnavailable) {
			t.Errorf("stored %d, %v", stored, err)
		}
		unconfirmed(t, err, 1)
		ended(t, lease, errCanceled)
		stands(t, f, string(value(lease)))

		replicas.Store(2)
		commit(t, lease, lock.StoredBefore) // asks them again
	})
}

// A promoted replica that has missed the renewals would let the key go: a lease that only the primary
// has extended is not to be counted on.
func TestUnconfirmedRenewalsLoseTheLease(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		replicas := f.Replicas(2)
		cfg := acked
		var resumed, suspended atomic.Int32
		cfg.Trace = &lock.Trace{
			Suspended: func(_ *lock.Lease, err error) {
				suspended.Add(1)
				is(t, err, lock.ErrUnavailable)
				unconfirmed(t, err, 1)
			},
			Resumed: func(*lock.Lease) { resumed.Add(1) },
		}
		for _, a := range []*bubble.Machine{f.Machine(), f.ClusterMachine()} {
			f.Redis.Del(key)
			suspended.Store(0)
			resumed.Store(0)
			lease := grant(t, a.Locker(cfg), anyone)
			replicas.Store(1)
			time.Sleep(ttl/3 + time.Second)
			if lease.State() != lock.Suspended {
				t.Errorf("state %d, want Suspended", lease.State())
			}
			replicas.Store(2)
			time.Sleep(ttl / 2)
			live(t, lease)
			replicas.Store(1)
			time.Sleep(ttl)
			ended(t, lease, lock.ErrLost)
			if s, r := suspended.Load(), resumed.Load(); s != 2 || r != 1 {
				t.Errorf("suspended %d times and resumed %d times", s, r)
			}
			replicas.Store(2)
		}
	})
}

// What was written before the reply was lost is confirmed by a later connection's WAIT only if that
// connection writes, too.
func TestResentScriptsWrite(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Replicas(2)
		var writes atomic.Int32
		f.Before(func(_ *server.Peer, cmd string, _ ...string) bool {
			if cmd == "PEXPIRE" {
				writes.Add(1)
			}
			return false
		})
		a := f.Machine()
		a.On("begin", bubble.LoseReply)
		lease := grant(t, a.Locker(acked), anyone)
		a.On("commit", bubble.LoseReply)
		commit(t, lease, lock.StoredBefore)
		a.WantTrips("begin+WAIT", "begin+WAIT", "commit+WAIT", "commit+WAIT")
		if d := f.Redis.TTL(key); d < retention-time.Second || d > retention {
			t.Errorf("kept for %v, want %v", d, retention)
		}
		if n := writes.Load(); n != 2 {
			t.Errorf("what was sent again wrote %d times, want 2", n)
		}
	})
}

func TestAckedKnowsNoScripts(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Replicas(2)
		for _, a := range []*bubble.Machine{f.Machine(), f.ClusterMachine()} {
			l := a.Locker(acked)
			flush := func() { a.Client.ScriptFlush(t.Context()); a.Trips() }
			f.Redis.Del(key)
			flush()
			lease := grant(t, l, anyone)
			a.WantTrips("begin+WAIT", "load begin+WAIT")
			flush()
			time.Sleep(ttl/3 + time.Second)
			live(t, lease)
			a.WantTrips("renew+WAIT", "load renew+WAIT")
			flush()
			commit(t, lease, lock.StoredNow)
			a.WantTrips("commit+WAIT", "load commit+WAIT")
		}
	})
}

// The client of a cluster's node doesn't send again by itself.
func TestAckedLostReplies(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Replicas(2)
		for _, a := range []*bubble.Machine{f.Machine(), f.ClusterMachine()} {
			for _, fault := range []bubble.Fault{bubble.LoseCommand, bubble.LoseReply} {
				f.Redis.Del(key)
				cfg := acked
				cfg.Trace = &lock.Trace{Suspended: func(*lock.Lease, error) { t.Error("suspended by one broken connection") }}
				l := a.Locker(cfg)
				a.On("begin", fault)
				lease := grant(t, l, anyone)
				a.On("renew", fault)
				time.Sleep(ttl)
				live(t, lease)
				a.On("commit", fault)
				if _, err := lease.Commit(t.Context(), value(lease), retention); err != nil {
					t.Error(err)
				}
				stands(t, f, string(value(lease)))
			}
		}
	})
}

func TestAckedRedisAway(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Replicas(2)
		for _, a := range []*bubble.Machine{f.Machine(), f.ClusterMachine()} {
			l := a.Locker(acked)
			for _, trouble := range []struct{ begin, end func() }{{f.Down, f.Up}, {f.Freeze, f.Thaw}, {f.Vanish, f.Thaw},
				{func() { f.Refuse("READONLY You can't write against a read only replica.") }, func() { f.Refuse("") }}} {
				f.Redis.Del(key)
				trouble.begin()
				start := time.Now()
				_, err := l.TryAcquire(t.Context(), key, anyone)
				is(t, err, lock.ErrUnavailable)
				if took := time.Since(start); took > 2*time.Second+time.Microsecond {
					t.Errorf("took %v, want Timeout at most", took)
				}
				trouble.end()
				time.Sleep(time.Minute)
				_ = grant(t, l, anyone).Release(t.Context())
			}
		}
	})
}

func TestAcksNeedAClientThatCan(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		var fault *lock.ConfigError
		quick, slow := f.Machine(readTimeout(100*time.Millisecond)), f.Machine(readTimeout(-1))
		_, err := lock.New(quick.Client, acked)
		if !errors.As(err, &fault) || fault.Name != "AckWithin" || fault.Value != "100ms" {
			t.Errorf("a ReadTimeout that cuts the wait short: %v", err)
		}
		if _, err := lock.New(struct{ redis.UniversalClient }{a.Client}, acked); err == nil {
			t.Error("a client of a type unknown is accepted")
		}
		if _, err := lock.New(slow.Client, acked); err != nil {
			t.Errorf("a client without ReadTimeout: %v", err)
		}
	})
}

func readTimeout(d time.Duration) func(*redis.Options) {
	return func(o *redis.Options) { o.ReadTimeout = d }
}

// A cluster of two nodes by name, which are the same Redis: what is tested is who is asked.
func TestAckedFollowsRedirects(t *testing.T) {
	for _, kind := range []string{"MOVED", "ASK"} {
		t.Run(kind, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				f.Replicas(2)
				var redirects, asked atomic.Int32
				f.Before(func(p *server.Peer, cmd string, _ ...string) bool {
					if cmd == "ASKING" {
						asked.Add(1)
						p.WriteOK()
						return true
					}
					if cmd == "EVALSHA" && redirects.Add(-1) >= 0 {
						p.WriteError(kind + " 7629 other:6379")
						return true
					}
					return false
				})
				var mu sync.Mutex
				var dialed []string
				a := f.ClusterMachine(func(o *redis.ClusterOptions) {
					dial := o.Dialer
					o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
						mu.Lock()
						dialed = append(dialed, addr)
						mu.Unlock()
						return dial(ctx, network, addr)
					}
					o.ClusterSlots = func(context.Context) ([]redis.ClusterSlot, error) {
						return []redis.ClusterSlot{
							{Start: 0, End: 8191, Nodes: []redis.ClusterNode{{Addr: "redis:6379"}}}, // the key's
							{Start: 8192, End: 16383, Nodes: []redis.ClusterNode{{Addr: "other:6379"}}},
						}, nil
					}
				})
				l := a.Locker(acked)
				redirects.Store(1)
				lease := grant(t, l, anyone)
				followed := map[string]string{"MOVED": "begin+WAIT", "ASK": "ASKING+begin+WAIT"}
				a.WantTrips("begin+WAIT", followed[kind])
				redirects.Store(1)
				time.Sleep(ttl/3 + time.Second)
				live(t, lease)
				redirects.Store(1)
				commit(t, lease, lock.StoredNow)
				mu.Lock()
				if want := []string{"redis:6379", "other:6379"}; !slices.Equal(dialed, want) {
					t.Errorf("dialed %v, want %v", dialed, want)
				}
				mu.Unlock()
				if want := map[string]int{"MOVED": 0, "ASK": 3}[kind]; int(asked.Load()) != want {
					t.Errorf("%d ASKING, want %d", asked.Load(), want)
				}

				redirects.Store(100)
				_, err := l.TryAcquire(t.Context(), "k2", anyone)
				is(t, err, lock.ErrUnavailable)
				if n := redirects.Load(); n < 90 {
					t.Errorf("followed %d redirects in a circle", 100-n)
				}
			})
		})
	}
}
