package replay_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A client's pool that is used up. These are not in bubbles: go-redis keeps the timers of those who wait
// for a connection from one to the next.

// A shop is an engine that fails open, over a client whose pool can be used up and whose Redis can hang.
type shop struct {
	t      *testing.T
	client redis.UniversalClient
	engine *replay.Engine
	hung   atomic.Bool
}

// A hanging connection takes what is written and brings it nowhere.
type hanging struct {
	net.Conn
	hung *atomic.Bool
}

func (h hanging) Write(b []byte) (int, error) {
	if h.hung.Load() {
		return len(b), nil
	}
	return h.Conn.Write(b)
}

func newShop(t *testing.T, addr string, pool redis.Options, cluster bool) *shop {
	t.Helper()
	s := &shop{t: t}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return hanging{conn, &s.hung}, err
	}
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if cluster {
		s.client = redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}, Dialer: dial, PoolSize: pool.PoolSize,
			ContextTimeoutEnabled: true, DisableRoutingPolicies: true, DisableIdentity: true, MaintNotificationsConfig: quiet})
	} else {
		pool.Addr, pool.Dialer, pool.DisableIdentity, pool.MaintNotificationsConfig = addr, dial, true, quiet
		s.client = redis.NewClient(&pool)
	}
	t.Cleanup(func() { _ = s.client.Close() })
	engine, err := replay.New(s.client, replay.Config{
		OnStoreDown: replay.RunUnguarded, Lock: lock.Config{TTL: time.Minute, Timeout: time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.engine = engine
	return s
}

// busy uses every connection of the pool, as blocking commands do. The function that it returns gives them
// back.
func (s *shop) busy() (free func()) {
	s.t.Helper()
	node, ok := s.client.(*redis.Client)
	if !ok {
		var err error
		if node, err = s.client.(*redis.ClusterClient).MasterForKey(s.t.Context(), "any"); err != nil {
			s.t.Fatal(err)
		}
	}
	o := node.Options()
	n := o.PoolSize
	if o.MaxActiveConns > 0 {
		n = o.MaxActiveConns
	}
	var conns []*redis.Conn
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	for len(conns) < n {
		conn := node.Conn()
		switch err := conn.Ping(ctx).Err(); {
		case err == nil:
			conns = append(conns, conn)
			continue
		case !errors.Is(err, redis.ErrPoolExhausted) && !errors.Is(err, redis.ErrPoolTimeout):
			s.t.Fatal(err)
		}
		_ = conn.Close()
		select { // what was asked before may still be giving its connection back
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			s.t.Fatal("the pool doesn't get its connections back")
		}
	}
	return func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}
}

func (s *shop) ask() (ran bool, r replay.Result, err error) {
	r, err = s.engine.Do(bg, request(), func(context.Context) (replay.Answer, error) {
		ran = true
		return replay.Answer{Value: "again"}, nil
	})
	return ran, r, err
}

func TestFullPoolIsNoOutage(t *testing.T) {
	for name, tc := range map[string]struct {
		pool    redis.Options
		cluster bool
	}{
		"by our time-out":                   {redis.Options{PoolSize: 2, ContextTimeoutEnabled: true}, false},
		"by the pool's time-out":            {redis.Options{PoolSize: 2, PoolTimeout: 10 * time.Millisecond, ContextTimeoutEnabled: true}, false},
		"without a place to wait":           {redis.Options{PoolSize: 9, MaxActiveConns: 2, ContextTimeoutEnabled: true}, false},
		"of a client that ignores contexts": {redis.Options{PoolSize: 2}, false},
		"of a cluster's client":             {redis.Options{PoolSize: 2}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := miniredis.RunT(t).Addr()
			first := newShop(t, addr, redis.Options{ContextTimeoutEnabled: true}, false)
			s := newShop(t, addr, tc.pool, tc.cluster)
			_, err := first.engine.Do(bg, request(), func(context.Context) (replay.Answer, error) {
				free := s.busy()
				if ran, _, err := s.ask(); ran || !errors.Is(err, replay.ErrUnavailable) {
					t.Errorf("ran beside a live lease: %v, %v", ran, err)
				}
				free()
				if ran, _, err := s.ask(); ran || !errors.Is(err, replay.ErrInProgress) {
					t.Errorf("afterwards: %v, %v", ran, err)
				}

				// Where Redis hangs, the pool fills up with those who wait for it: that is an outage.
				defer s.busy()()
				s.hung.Store(true)
				if ran, r, err := s.ask(); !ran || r.Guarded || err != nil {
					t.Errorf("Redis hangs: ran %v, %+v, %v, want it run without a claim", ran, r, err)
				}
				s.hung.Store(false)
				return replay.Answer{Value: "done"}, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
