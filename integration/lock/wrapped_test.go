package lock_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// wrapped is a client of a type that nothing is known of, which can't be compared or be a map's key.
type wrapped struct {
	redis.UniversalClient
	_ []string
}

// Behind such a client there may be a cluster, whose nodes each have to be told a script; and those who wait
// share what they hear.
func TestClientOfAnotherType(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		to := q.Member().To
		addrs := map[string]*bubble.Machine{"a:6379": to[0], "b:6379": to[1]}
		cluster := q.Of[0].ClusterMachine(func(o *redis.ClusterOptions) {
			o.DisableRoutingPolicies = true
			o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
				return addrs[addr].Dial(ctx, network, addr)
			}
			o.ClusterSlots = func(context.Context) ([]redis.ClusterSlot, error) {
				return []redis.ClusterSlot{
					{Start: 0, End: 8191, Nodes: []redis.ClusterNode{{Addr: "a:6379"}}}, // that of "k"
					{Start: 8192, End: 16383, Nodes: []redis.ClusterNode{{Addr: "b:6379"}}},
				}, nil
			}
		}).Client
		suspended := 0
		l, err := lock.New(wrapped{UniversalClient: cluster}, lock.Config{Trace: &lock.Trace{Suspended: func(_ *lock.Lease, err error) {
			suspended++
			t.Log(err)
		}}})
		if err != nil {
			t.Fatal(err)
		}
		var leases []*lock.Lease
		for _, key := range []string{key, "a"} {
			lease, err := l.TryAcquire(t.Context(), key, anyone)
			if err != nil {
				t.Fatal(err)
			}
			leases = append(leases, lease)
		}
		for _, m := range to {
			flush(t, m)
		}
		time.Sleep(ttl / 2)
		for i, lease := range leases {
			if live(t, lease); times(to[i].Trips(), "load renew") != 1 {
				t.Errorf("node %d has not been told the script once", i)
			}
		}
		if suspended > 0 {
			t.Errorf("%d leases were not renewed in time", suspended)
		}
		time.AfterFunc(time.Second, func() { commit(t, leases[0], lock.StoredNow) })
		_, err = l.Acquire(t.Context(), key, anyone)
		is(t, err, lock.ErrDone)
	})
}
