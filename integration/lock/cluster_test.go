package lock_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// go-redis asks for a cluster's topology when a node says MOVED, but not when the node that it
// knows is away.
func TestTopologyIsAskedForWhenANodeIsAway(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var asked atomic.Int32
		a := f.ClusterMachine(func(o *redis.ClusterOptions) {
			o.ClusterSlots = func(context.Context) ([]redis.ClusterSlot, error) {
				asked.Add(1)
				return []redis.ClusterSlot{{End: 16383, Nodes: []redis.ClusterNode{{Addr: "redis:6379"}}}}, nil
			}
		})
		l := a.Locker(lock.Config{})
		lease := grant(t, l, anyone)
		_, _ = l.TryAcquire(t.Context(), key, anyone)
		commit(t, lease, lock.StoredNow)
		time.Sleep(time.Second)
		if n := asked.Swap(0); n > 2 {
			t.Errorf("asked %d times when nothing is wrong", n)
		}

		f.Down()
		start := time.Now()
		var calls int
		for ; time.Since(start) < 10*time.Second; calls++ {
			for range 20 { // many requests at once
				go func() { _, _ = l.TryAcquire(t.Context(), "other", anyone) }()
			}
			_, err := l.TryAcquire(t.Context(), "other", anyone)
			is(t, err, lock.ErrUnavailable)
		}
		if n := asked.Swap(0); n < 4 || n > 11 {
			t.Errorf("asked %d times in 10 s, want once a second", n)
		}

		f.Up()
		time.Sleep(5 * time.Second)
		// One of the many may have got "other" after all.
		if _, err := l.TryAcquire(t.Context(), "third", anyone); err != nil {
			t.Error(err)
		}
	})
}

// An error of Redis's own is no reason to ask.
func TestTopologyIsNotAskedForWhenANodeAnswers(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var asked atomic.Int32
		a := f.ClusterMachine(func(o *redis.ClusterOptions) {
			o.ClusterSlots = func(context.Context) ([]redis.ClusterSlot, error) {
				asked.Add(1)
				return []redis.ClusterSlot{{End: 16383, Nodes: []redis.ClusterNode{{Addr: "redis:6379"}}}}, nil
			}
		})
		l := a.Locker(lock.Config{})
		grant(t, l, anyone)
		asked.Store(0)
		f.Refuse("OOM command not allowed when used memory > 'maxmemory'.")
		for range 10 {
			_, err := l.TryAcquire(t.Context(), "other", anyone)
			is(t, err, lock.ErrUnavailable)
			time.Sleep(time.Second)
		}
		if n := asked.Load(); n > 0 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestClusterClientRenewsInPipelines(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.ClusterMachine()
		l := a.Locker(lock.Config{})
		var leases []*lock.Lease
		for i := range 20 {
			lease, err := l.TryAcquire(t.Context(), fmt.Sprint(i), anyone)
			if err != nil {
				t.Fatal(err)
			}
			leases = append(leases, lease)
		}
		a.Trips()
		time.Sleep(6 * time.Second)
		a.WantTrips("renew*20")
		for _, lease := range leases {
			live(t, lease)
		}
	})
}

// A slot is on its way to a node that has been away from the cluster, so that its client was closed meanwhile
// and there is another for the same address.
func TestSlotMovesToANodeThatHasComeBack(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var moving, away atomic.Bool
		asked := map[*server.Peer]bool{}
		var mu sync.Mutex
		f.Before(func(p *server.Peer, cmd string, _ ...string) bool {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case cmd == "ASKING":
				asked[p] = true
				p.WriteOK()
				return true
			case cmd == "EVALSHA" && moving.Load() && !asked[p]:
				p.WriteError("ASK 7629 other:6379")
				return true
			}
			delete(asked, p)
			return false
		})
		a := f.ClusterMachine(func(o *redis.ClusterOptions) {
			o.ClusterSlots = func(context.Context) ([]redis.ClusterSlot, error) {
				if away.Load() {
					return []redis.ClusterSlot{{End: 16383, Nodes: []redis.ClusterNode{{Addr: "redis:6379"}}}}, nil
				}
				return []redis.ClusterSlot{
					{Start: 0, End: 8191, Nodes: []redis.ClusterNode{{Addr: "redis:6379"}}}, // the key's
					{Start: 8192, End: 16383, Nodes: []redis.ClusterNode{{Addr: "other:6379"}}},
				}, nil
			}
		})
		cluster := a.Client.(*redis.ClusterClient)
		lease := grant(t, a.Locker(lock.Config{MaxHold: time.Hour}), anyone)
		moving.Store(true)
		time.Sleep(ttl)
		moving.Store(false)
		away.Store(true)
		cluster.ReloadState(t.Context())
		time.Sleep(5 * time.Minute) // until the client has closed what it has no use for
		away.Store(false)
		cluster.ReloadState(t.Context())
		time.Sleep(time.Second)
		moving.Store(true)
		time.Sleep(2 * ttl)
		live(t, lease)
	})
}

// A client that is closed just when the connection of a renewal broke, to a node that no slots are known of,
// ends the lease and not the process.
func TestClientIsClosedDuringARenewal(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.ClusterMachine(func(o *redis.ClusterOptions) {
			o.ClusterSlots = func(context.Context) ([]redis.ClusterSlot, error) {
				return []redis.ClusterSlot{{Nodes: []redis.ClusterNode{{Addr: "redis:6379"}}}}, nil // slot 0
			}
		})
		cluster := a.Client.(*redis.ClusterClient)
		cluster.OnNewNode(func(node *redis.Client) { node.AddHook(closing{cluster}) })
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		a.On("renew", bubble.LoseReply)
		time.Sleep(ttl)
		ended(t, lease, lock.ErrLost)
	})
}

// closing is a hook that closes a client behind the first pipeline.
type closing struct{ client *redis.ClusterClient }

func (c closing) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (c closing) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (c closing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() != "evalsha" {
			return next(ctx, cmds) // which opens a connection
		}
		defer c.client.Close()
		return next(ctx, cmds)
	}
}

// A node that hangs delays the renewals of its own keys and no others, whether or not the client minds
// its context.
func TestNodeThatHangsDelaysItsOwnRenewalsOnly(t *testing.T) {
	for _, obedient := range []bool{true, false} {
		t.Run(fmt.Sprint(obedient), func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				other := f.Machine() // its link leads to the second node
				a := f.ClusterMachine(func(o *redis.ClusterOptions) {
					o.ContextTimeoutEnabled = obedient
					dial := o.Dialer
					o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
						if addr == "other:6379" {
							return other.Dial(ctx, network, addr)
						}
						return dial(ctx, network, addr)
					}
					o.ClusterSlots = func(context.Context) ([]redis.ClusterSlot, error) {
						return []redis.ClusterSlot{
							{Start: 0, End: 8191, Nodes: []redis.ClusterNode{{Addr: "redis:6379"}}}, // that of "k"
							{Start: 8192, End: 16383, Nodes: []redis.ClusterNode{{Addr: "other:6379"}}},
						}, nil
					}
				})
				l := a.Locker(lock.Config{})
				lease := grant(t, l, anyone)
				far, err := l.TryAcquire(t.Context(), "a", anyone)
				if err != nil {
					t.Fatal(err)
				}
				if n := times(other.Trips(), "begin"); n != 1 {
					t.Fatalf("%d of the keys are on the second node, want 1", n)
				}
				a.Trips()
				other.Freeze()
				time.Sleep(2*ttl/3 + 100*time.Millisecond)
				if n := times(a.Trips(), "renew"); n != 2 {
					t.Errorf("%d renewals in %v beside a node that hangs, want 2", n, 2*ttl/3)
				}
				live(t, lease)
				if far.State() != lock.Suspended {
					t.Errorf("state %d on the node that hangs, want Suspended", far.State())
				}
				time.Sleep(ttl / 3)
				ended(t, far, lock.ErrLost)
				live(t, lease)
				other.Thaw()
			})
		})
	}
}
