package lock_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// Pipelines when servers hang, connections break and slots move.

// A Redis that stops keeps nobody longer than Timeout, however many ask, and keeps nothing that they
// asked for.
func TestHungServerKeepsNoneOfACrowdLongerThanTimeout(t *testing.T) {
	for name, options := range clients {
		for _, n := range []int{1, 500} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					m := f.Machine(narrow, options)
					l := m.Locker(lock.Config{Timeout: 500 * time.Millisecond})
					if err := grant(t, l, anyone).Release(t.Context()); err != nil {
						t.Fatal(err)
					}
					f.Freeze()
					m.Trips()
					for range 3 {
						start := time.Now()
						_, errs := asks(t, t.Context(), l, n)()
						for _, err := range errs {
							is(t, err, lock.ErrUnavailable)
						}
						if took := time.Since(start); took != 500*time.Millisecond {
							t.Errorf("it took %v, want 500ms", took)
						}
					}
					// Those in the queue have left it with their callers.
					if begun := strings.Count(strings.Join(m.Trips(), " "), "begin"); n > 1 && begun > 3*inFlight {
						t.Errorf("begin was sent in %d round trips", begun)
					}
					f.Thaw()
					time.Sleep(ttl)
					served(t, asks(t, t.Context(), l, n))
				})
			})
		}
	}
}

// Whoever gives up on a pipeline is told that time is over, also where two timers say so at one instant.
func TestCallersWhoGiveUpOnAPipelineAreToldWhy(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.ClusterMachine(func(o *redis.ClusterOptions) { o.ContextTimeoutEnabled = false })
		l := m.Locker(lock.Config{})
		free := occupied(t, m, l, roundTrip)
		all := asks(t, t.Context(), l, 100)
		m.On("begin", bubble.Unheard)
		free()
		_, errs := all()
		for _, err := range errs {
			is(t, err, lock.ErrUnavailable, context.DeadlineExceeded)
		}
	})
}

// Nor do more than 4,096 wait for pipelines: the others wait for connections, as long.
func TestHungServerKeepsNoneBeyondAFullQueue(t *testing.T) {
	for name, options := range clients {
		for _, beyond := range []int{0, 1000} {
			t.Run(fmt.Sprint(name, " ", beyond), func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					m := f.Machine(narrow, options)
					l := m.Locker(lock.Config{Timeout: 500 * time.Millisecond})
					m.OnNext(100_000, "begin", bubble.Unheard)
					start := time.Now()
					all := asks(t, t.Context(), l, inFlight+8*512+beyond)
					if n, want := len(m.Trips()), min(inFlight+beyond, connections); n != want {
						t.Errorf("%d went at once, want %d", n, want)
					}
					_, errs := all()
					if took := time.Since(start); took != 500*time.Millisecond {
						t.Errorf("it took %v, want 500ms", took)
					}
					for _, err := range errs {
						is(t, err, lock.ErrUnavailable)
					}
					m.Heal()
					time.Sleep(ttl)
					for _, lease := range served(t, asks(t, t.Context(), l, 100)) {
						if err := lease.Release(t.Context()); err != nil {
							t.Error(err)
						}
					}
				})
			})
		}
	}
}

// A pipeline whose connection has died makes way after Timeout, as one script alone does.
func TestPipelineOnADeadConnectionMakesWay(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.Machine()
		l := m.Locker(lock.Config{Timeout: 500 * time.Millisecond})
		free := occupied(t, m, l, 100*time.Millisecond)
		lost := asks(t, t.Context(), l, 10)
		m.On("begin", bubble.Unanswered) // the pipeline that goes at 100 ms
		free()
		_, errs := lost()
		is(t, errs[0], lock.ErrUnavailable)
		time.Sleep(100 * time.Millisecond)
		m.Trips()
		m.OnNext(inFlight, "begin", bubble.Fault{DelayReply: roundTrip})
		all := asks(t, t.Context(), l, inFlight)
		m.WantTrips("begin", "begin")
		served(t, all)
	})
}

// A grant for a caller who has given up, which others in the pipeline get in time, is handed back when
// it comes.
func TestGrantOfAPipelineThatComesTooLateIsHandedBack(t *testing.T) {
	for name, options := range clients {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				m := f.Machine(options)
				l := m.Locker(lock.Config{})
				free := occupied(t, m, l, 400*time.Millisecond)
				start := time.Now()
				early := asks(t, t.Context(), l, 1)
				time.Sleep(350 * time.Millisecond)
				last := make(chan error, 1)
				go func() {
					_, err := l.TryAcquire(t.Context(), key, anyone)
					last <- err
				}()
				m.On("begin", bubble.Fault{DelayReply: 1800 * time.Millisecond})
				m.On("release", bubble.Fault{DelayCommand: bubble.Forever}) // the first attempt to undo it fails
				_, errs := early()
				is(t, errs[0], lock.ErrUnavailable)
				if took := time.Since(start); took != 2*time.Second {
					t.Errorf("it took %v, want Timeout", took)
				}
				if err := <-last; err != nil {
					t.Error(err)
				}
				free()
				time.Sleep(100 * time.Millisecond)
				if f.Redis.Exists("key 0") {
					t.Error("it is still held")
				}
				m.WantTrips("begin*2", "release", "release")
			})
		})
	}
}

// A connection that breaks under a pipeline costs nobody a grant.
func TestPipelineWhoseConnectionBreaksIsSentAgain(t *testing.T) {
	for name, fault := range map[string]bubble.Fault{"command": bubble.LoseCommand, "reply": bubble.LoseReply} {
		for _, kind := range []string{"single", "cluster"} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					m := f.Machine()
					if kind == "cluster" {
						m = f.ClusterMachine()
					}
					l := m.Locker(lock.Config{})
					free := occupied(t, m, l, roundTrip)
					all := asks(t, t.Context(), l, 100)
					m.On("begin", fault)
					for _, lease := range served(t, all) {
						if lease.Attempt() != 1 {
							t.Errorf("attempt %d, want 1", lease.Attempt())
						}
					}
					free()
				})
			})
		}
	}
}

// farCluster gives the machine a cluster of two nodes: the keys of the lower half of the slots are on the
// machine's own Redis, "other:6379" is where far leads.
func farCluster(f *bubble.Fleet, far *bubble.Machine, options ...func(*redis.ClusterOptions)) *bubble.Machine {
	return f.ClusterMachine(append(options, func(o *redis.ClusterOptions) {
		near := o.Dialer
		o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "other:6379" {
				return far.Dial(ctx, network, addr)
			}
			return near(ctx, network, addr)
		}
		o.ClusterSlots = func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{
				{Start: 0, End: 8191, Nodes: []redis.ClusterNode{{Addr: "redis:6379"}}},
				{Start: 8192, End: 16383, Nodes: []redis.ClusterNode{{Addr: "other:6379"}}},
			}, nil
		}
	})...)
}

// A node that hangs delays its own keys and no others.
func TestNodeThatHangsDelaysPipelinesOfItsOwnOnly(t *testing.T) {
	for _, obedient := range []bool{true, false} {
		t.Run(fmt.Sprint(obedient), func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				far := f.Machine()
				m := farCluster(f, far, func(o *redis.ClusterOptions) { o.ContextTimeoutEnabled = obedient })
				l := m.Locker(lock.Config{})
				for _, lease := range served(t, asks(t, t.Context(), l, 200)) { // both are connected to
					if err := lease.Release(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				start := time.Now()
				far.Freeze()
				var mu sync.Mutex
				var now, never int
				burst(t, 200, func(key string) error {
					_, err := l.TryAcquire(t.Context(), key, anyone)
					mu.Lock()
					defer mu.Unlock()
					switch took := time.Since(start); {
					case err == nil && took == 0:
						now++
					case errors.Is(err, lock.ErrUnavailable) && took == 2*time.Second:
						never++
					default:
						t.Errorf("got %v after %v", err, took)
					}
					return err
				})
				if now < 50 || never < 50 {
					t.Errorf("%d were served at once and %d in no time, want about half and half", now, never)
				}
				far.Thaw()
			})
		})
	}
}

// Scripts of a pipeline whose slot is on its way to another node, or has arrived there, follow it; the
// others have their answers.
func TestRedirectsOfAPipelineAreFollowed(t *testing.T) {
	for _, kind := range []string{"MOVED", "ASK"} {
		t.Run(kind, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				var mu sync.Mutex
				var moving bool
				asked := map[*server.Peer]bool{}
				far, followed := map[*server.Peer]bool{}, 0
				f.Before(func(p *server.Peer, cmd string, args ...string) bool {
					mu.Lock()
					defer mu.Unlock()
					switch {
					case cmd == "ECHO" && args[0] == "far": // by which the second node's connections are known
						far[p] = true
					case cmd == "ASKING":
						asked[p] = true
						p.WriteOK()
						return true
					case cmd == "EVALSHA" && moving && strings.HasPrefix(args[2], "key 1"):
						if here := kind == "MOVED" && !far[p] || kind == "ASK" && !(far[p] && asked[p]); here {
							p.WriteError(kind + " 7629 other:6379")
							return true
						}
						followed++
					}
					delete(asked, p)
					return false
				})
				m := farCluster(f, f.Machine(), func(o *redis.ClusterOptions) {
					o.OnConnect = func(ctx context.Context, cn *redis.Conn) error {
						if strings.Contains(cn.String(), "other") {
							return cn.Echo(ctx, "far").Err()
						}
						return nil
					}
				})
				l := m.Locker(lock.Config{})
				_ = m.Client.(*redis.ClusterClient).ForEachMaster(t.Context(), func(ctx context.Context, c *redis.Client) error {
					return c.Ping(ctx).Err()
				})
				free := occupied(t, m, l, roundTrip)
				mu.Lock()
				moving = true
				mu.Unlock()
				served(t, asks(t, t.Context(), l, 200))
				free()
				mu.Lock()
				defer mu.Unlock()
				if followed != 111 { // key 1, key 10 to 19, key 100 to 199
					t.Errorf("%d scripts have followed, want 111", followed)
				}
			})
		})
	}
}

// A pipeline that breaks leaves nothing held for callers who leave before theirs is sent again, or find no
// connection for it. Each is told why.
func TestPipelineThatBreaksLeavesNothingHeld(t *testing.T) {
	for name, tc := range map[string]struct {
		again  bubble.Fault // befalls what is sent again
		leaves time.Duration
		want   error
	}{
		"callers leave":         {bubble.Fault{DelayReply: 2 * roundTrip}, 2 * roundTrip, errLeft},
		"no connection is free": {bubble.Unheard, time.Minute, redis.ErrPoolTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				m := f.ClusterMachine(func(o *redis.ClusterOptions) { o.PoolSize = inFlight })
				l := m.Locker(lock.Config{})
				free := occupied(t, m, l, roundTrip)
				ctx, leave := context.WithCancelCause(t.Context())
				all := asks(t, ctx, l, 100)
				m.On("begin", bubble.LoseReply)
				m.OnNext(200, "begin", tc.again)
				time.AfterFunc(tc.leaves, func() { leave(errLeft) })
				leases, errs := all()
				free()
				time.Sleep(time.Second)
				told := 0
				for i, lease := range leases {
					if lease == nil && f.Redis.Exists(fmt.Sprint("key ", i)) {
						t.Errorf("key %d is held by nobody", i)
					}
					if errors.Is(errs[i], tc.want) {
						told++
					}
				}
				if told < 100-inFlight {
					t.Errorf("%d are told: %v; one got %v", told, tc.want, errs[0])
				}
			})
		})
	}
}
