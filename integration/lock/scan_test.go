package lock_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// scanned is all that a scan reports, by key, and its last error.
func scanned(ctx context.Context, t *testing.T, l *lock.Locker, s lock.Scan) (map[string]lock.Standing, error) {
	t.Helper()
	var last error
	all := map[string]lock.Standing{}
	for seen, err := range l.Scan(ctx, s) {
		if err != nil {
			last = err
		} else if _, twice := all[seen.Key]; twice {
			t.Errorf("%s is reported twice", seen.Key)
		}
		if err == nil {
			all[seen.Key] = seen.Standing
		}
	}
	return all, last
}

// A scan reports what stands under each key of the prefix, once, on one server as on a cluster.
func TestScan(t *testing.T) {
	for name, connect := range map[string]func(*bubble.Fleet) *lock.Locker{
		"one server": func(f *bubble.Fleet) *lock.Locker { return f.Machine().Locker(lock.Config{}) },
		"a cluster":  func(f *bubble.Fleet) *lock.Locker { return f.ClusterMachine().Locker(lock.Config{}) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				f.Paged()
				l := connect(f)
				for i := range 300 {
					f.Redis.Set(fmt.Sprint("a:", i), "R value")
				}
				f.Redis.Set("b:1", "R value")
				if _, err := l.TryAcquire(t.Context(), "a:held", anyone); err != nil {
					t.Fatal(err)
				}
				var last lock.Progress
				all, err := scanned(t.Context(), t, l, lock.Scan{Prefix: "a:", Progress: func(p lock.Progress) { last = p }})
				if err != nil || len(all) != 301 || all["a:held"] != lock.Claimed || all["a:7"] != lock.Valued {
					t.Errorf("%d keys, %v", len(all), err)
				}
				if last.Seen != 301 || last.Walked != 302 || last.Total != 302 || last.Node == "" {
					t.Errorf("progress: %+v", last)
				}
				claimed := func(s lock.Sight) bool { return s.Standing == lock.Claimed }
				if all, err := scanned(t.Context(), t, l, lock.Scan{Want: claimed}); err != nil || len(all) != 1 {
					t.Errorf("of claims: %v, %v", all, err)
				}
				if all, err := scanned(t.Context(), t, l, lock.Scan{Sample: 7, Rate: lock.Unbounded}); err != nil || len(all) != 7 {
					t.Errorf("of a sample: %d, %v", len(all), err)
				}
				begun := time.Now()
				if all, err := scanned(t.Context(), t, l, lock.Scan{Rate: 100}); err != nil || len(all) != 302 || time.Since(begun) < 2*time.Second {
					t.Errorf("at 100 a second: %d after %v, %v", len(all), time.Since(begun), err)
				}
				gone, leave := context.WithTimeout(t.Context(), time.Second)
				defer leave()
				if all, err := scanned(gone, t, l, lock.Scan{Rate: 100}); !errors.Is(err, context.DeadlineExceeded) || len(all) == 302 {
					t.Errorf("for a caller who has gone: %d, %v", len(all), err)
				}

				nodes, err := l.Nodes(t.Context())
				if err != nil || len(nodes) != 1 || nodes[0].Keys != 302 || nodes[0].Err != nil {
					t.Errorf("%+v, %v", nodes, err)
				}
				f.Down()
				var node *lock.NodeError
				_, err = scanned(t.Context(), t, l, lock.Scan{})
				is(t, err, lock.ErrUnavailable)
				if name == "one server" && (!errors.As(err, &node) || !strings.Contains(node.Error(), node.Addr)) {
					t.Errorf("it names no node: %v", err)
				}
				if nodes, err := l.Nodes(t.Context()); err == nil && (len(nodes) != 1 || !errors.As(nodes[0].Err, &node)) {
					t.Errorf("%+v, %v", nodes, err)
				}
			})
		})
	}
}

// Slots that are on their way are followed: to a node that has none yet, too, which the one that sends
// keys there knows.
func TestScanFollowsSlots(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Paged()
		const sender = "0123456789012345678901234567890123456789"
		const getter = "9876543210987654321098765432109876543210"
		f.Before(func(p *server.Peer, cmd string, args ...string) bool {
			if strings.ToUpper(cmd) != "CLUSTER" || len(args) == 0 || strings.ToUpper(args[0]) != "NODES" {
				return false
			}
			slots := "0-16383 [7->-" + getter + "] [8-<-" + getter + "] nonsense 9-x"
			p.WriteBulk(sender + " redis:6379@16379 myself,master - 0 0 1 connected " + slots + "\n" +
				getter + " redis:6380@16380,name master - 0 0 2 connected\n" + "too short\n")
			return true
		})
		l := f.ClusterMachine().Locker(lock.Config{})
		f.Redis.Set("a:1", "R value")
		walked := map[string]bool{}
		all, err := scanned(t.Context(), t, l, lock.Scan{Prefix: "a:", Progress: func(p lock.Progress) { walked[p.Node] = true }})
		if !walked[":6379"] || !walked["redis:6380"] || len(walked) != 2 {
			t.Errorf("it has walked %v, want the sender and the getter", walked)
		}
		// Both nodes are one here, and the second shows the key again, which is reported once.
		if err != nil || len(all) != 1 || all["a:1"] != lock.Valued {
			t.Errorf("%v, %v", all, err)
		}
	})
}

// A broken connection or a moment without an answer costs a scan one step, and not what it has walked of
// the node: its cursor is still good.
func TestScanGoesOnWhereItBroke(t *testing.T) {
	for name, fault := range map[string]bubble.Fault{"reply lost": bubble.LoseReply, "no answer": bubble.Unheard} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				f.Paged()
				m := f.ClusterMachine() // whose nodes' clients send nothing again
				l := m.Locker(lock.Config{})
				for i := range 3000 {
					f.Redis.Set(fmt.Sprint("a:", i), "R value")
				}
				steps := 0
				all, err := scanned(t.Context(), t, l, lock.Scan{Progress: func(lock.Progress) {
					switch steps++; steps {
					case 5, 15, 20:
						m.OnNext(2, "SCAN", fault)
					case 30:
						m.OnNext(2, "INFO", fault)
					}
				}})
				if err != nil || len(all) != 3000 || steps != 31 {
					t.Errorf("%d keys in %d steps, %v", len(all), steps, err)
				}
			})
		})
	}
}

// A key that can't be looked at, as one that comes from a node that has died, hides no other. Its node is
// walked again, and then named.
func TestScanGoesOnPastAKey(t *testing.T) {
	for name, tc := range map[string]struct {
		refused int // looks
		keys    int
		want    error
	}{
		"for a moment": {3, 300, nil},
		"for a walk":   {9, 300, nil},
		"for good":     {1000, 299, lock.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				f.Paged()
				for i := range 300 {
					f.Redis.Set(fmt.Sprint("a:", i), "R value")
				}
				f.Before(func(p *server.Peer, cmd string, args ...string) bool {
					if strings.ToUpper(cmd) != "EVALSHA" || args[2] != "a:150" || tc.refused == 0 {
						return false
					}
					tc.refused--
					p.WriteError("CLUSTERDOWN The cluster is down")
					return true
				})
				all, err := scanned(t.Context(), t, f.ClusterMachine().Locker(lock.Config{}), lock.Scan{})
				if len(all) != tc.keys || !errors.Is(err, tc.want) {
					t.Errorf("%d keys, %v; want %d, %v", len(all), err, tc.keys, tc.want)
				}
			})
		})
	}
}

// While a cluster elects a primary, each of its nodes refuses what has to do with keys. That is no reason
// to give up those that live.
func TestScanDuringAnElection(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Paged()
		for i := range 3000 {
			f.Redis.Set(fmt.Sprint("a:", i), "R value")
		}
		var elected time.Time
		f.Before(func(p *server.Peer, cmd string, args ...string) bool {
			if strings.ToUpper(cmd) != "EVALSHA" || time.Now().After(elected) {
				return false
			}
			p.WriteError("CLUSTERDOWN The cluster is down")
			return true
		})
		l := f.ClusterMachine().Locker(lock.Config{})
		steps := 0
		all, err := scanned(t.Context(), t, l, lock.Scan{Progress: func(lock.Progress) {
			if steps++; steps == 5 {
				elected = time.Now().Add(1500 * time.Millisecond)
			}
		}})
		if err != nil || len(all) != 3000 || steps != 31 {
			t.Errorf("%d keys in %d steps, %v", len(all), steps, err)
		}
	})
}

// A node that is in no cluster (any more) answers, and lists nobody. That is no database without keys.
func TestScanOfAClusterThatIsNone(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		l := f.ClusterMachine(func(o *redis.ClusterOptions) {
			o.ClusterSlots = func(context.Context) ([]redis.ClusterSlot, error) { return nil, nil }
		}).Locker(lock.Config{})
		f.Redis.Set("a:1", "R value")
		_, err := scanned(t.Context(), t, l, lock.Scan{})
		if is(t, err, lock.ErrUnavailable); !strings.Contains(err.Error(), "lists no primary") {
			t.Error(err)
		}
		_, err = l.Nodes(t.Context())
		is(t, err, lock.ErrUnavailable)
	})
}

// What a node says of its slots once it has been walked, when it is slow to say it, or its list is late.
func TestScanAsksForTheSlotsAgain(t *testing.T) {
	mine := "0123456789012345678901234567890123456789 redis:6379@16379 myself,master - 0 0 1 connected"
	breaks := func(p *server.Peer) { p.Close() }
	hasNone := func(p *server.Peer) { p.WriteBulk(mine + "\n") }
	hasSome := func(p *server.Peer) { p.WriteBulk(mine + " 0-16000\n") }
	hasAll := func(p *server.Peer) { p.WriteBulk(mine + " 0-16383\n") }
	for name, tc := range map[string]struct {
		says  []func(*server.Peer) // in turn, and the last one from then on
		want  error
		asked int
	}{
		"at once":                {[]func(*server.Peer){hasAll}, nil, 2},
		"no answer, twice":       {[]func(*server.Peer){hasAll, breaks, breaks, hasAll}, nil, 4},
		"no answer any more":     {[]func(*server.Peer){hasAll, breaks}, lock.ErrUnavailable, 4},
		"never an answer":        {[]func(*server.Peer){breaks}, lock.ErrUnavailable, 4},
		"slots nobody has":       {[]func(*server.Peer){hasAll, hasNone, hasNone, hasAll}, nil, 5},
		"slots nobody gets":      {[]func(*server.Peer){hasAll, hasNone}, lock.ErrMoving, 17},
		"some have no owner yet": {[]func(*server.Peer){hasSome, hasSome, hasAll}, nil, 4},
		"some never have one":    {[]func(*server.Peer){hasSome}, lock.ErrMoving, 17},
		"slots nobody ever had":  {[]func(*server.Peer){hasNone}, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				f.Paged()
				f.Redis.Set("a:1", "R value")
				asked := 0
				f.Before(func(p *server.Peer, cmd string, args ...string) bool {
					if strings.ToUpper(cmd) != "CLUSTER" || len(args) == 0 || strings.ToUpper(args[0]) != "NODES" {
						return false
					}
					asked++
					tc.says[0](p)
					tc.says = tc.says[min(1, len(tc.says)-1):]
					return true
				})
				all, err := scanned(t.Context(), t, f.ClusterMachine().Locker(lock.Config{}), lock.Scan{})
				if len(all) != 1 || !errors.Is(err, tc.want) || asked != tc.asked {
					t.Errorf("%d keys, %v, asked %d times; want 1, %v, %d", len(all), err, asked, tc.want, tc.asked)
				}
			})
		})
	}
}

// Who leaves a scan in the middle of a step is told so, and Trace of no fault.
func TestScanIsLeft(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Paged()
		f.Redis.Set("a:1", "R value")
		left := errors.New("left")
		ctx, leave := context.WithCancelCause(t.Context())
		f.Before(func(p *server.Peer, cmd string, args ...string) bool {
			if strings.ToUpper(cmd) != "EVALSHA" {
				return false
			}
			leave(left)
			p.Close()
			return true
		})
		l := f.ClusterMachine().Locker(lock.Config{Trace: &lock.Trace{
			Failed: func(_ context.Context, script string, err error) { t.Errorf("%s failed: %v", script, err) },
		}})
		if _, err := scanned(ctx, t, l, lock.Scan{}); !errors.Is(err, left) {
			t.Errorf("got %v", err)
		}
	})
}

// A node that refuses is asked once in each of its walks, and one that doesn't answer a few times. It is
// named.
func TestScanGivesANodeUp(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(*server.Peer)
		asked  int
	}{
		"refuses": {func(p *server.Peer) { p.WriteError("NOPERM this user has no permissions to run the 'scan' command") }, 2},
		"breaks":  {func(p *server.Peer) { p.Close() }, 6},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				asked := 0
				f.Before(func(p *server.Peer, cmd string, args ...string) bool {
					if strings.ToUpper(cmd) != "SCAN" {
						return false
					}
					asked++
					tc.answer(p)
					return true
				})
				_, err := scanned(t.Context(), t, f.ClusterMachine().Locker(lock.Config{}), lock.Scan{})
				var node *lock.NodeError
				is(t, err, lock.ErrUnavailable)
				if !errors.As(err, &node) || asked != tc.asked {
					t.Errorf("asked %d times, %v", asked, err)
				}
			})
		})
	}
}

// Another process answers by the end, which knows nothing of the cursor: the error says so, and is of
// the kind that is promised. That a server doesn't say who it is, is no word of a restart.
func TestScanOfAServerThatRestarts(t *testing.T) {
	for name, info := range map[string]struct {
		answer func(p *server.Peer, n int)
		says   string
	}{
		"restarted": {func(p *server.Peer, n int) { p.WriteBulk(fmt.Sprintf("run_id:%d\r\n", n)) }, "restarted"},
		"loading": {func(p *server.Peer, n int) {
			if n == 1 { // before the walk, and never after it
				p.WriteBulk("run_id:1\r\n")
			} else {
				p.WriteError("LOADING Redis is loading the dataset in memory")
			}
		}, "LOADING"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				infos := 0
				f.Before(func(p *server.Peer, cmd string, args ...string) bool {
					if strings.ToUpper(cmd) != "INFO" {
						return false
					}
					infos++
					info.answer(p, infos)
					return true
				})
				l := f.ClusterMachine().Locker(lock.Config{}) // whose nodes' clients send nothing again
				f.Redis.Set("a:1", "R value")
				all, err := scanned(t.Context(), t, l, lock.Scan{})
				is(t, err, lock.ErrUnavailable)
				var node *lock.NodeError
				if !errors.As(err, &node) || strings.Contains(err.Error(), "restarted") != (info.says == "restarted") ||
					!strings.Contains(err.Error(), info.says) || len(all) != 1 {
					t.Errorf("%v, %v", all, err)
				}
			})
		})
	}
}

// Slots may have moved while the last node was walked. A scan ends once it knows, or says that it doesn't.
func TestScanEndsWithAListOfNodes(t *testing.T) {
	for name, tc := range map[string]struct {
		unanswered int32 // lists that are asked for after the walk of the only node
		want       error
	}{
		"for a moment": {1, nil},
		"for good":     {1000, lock.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				f.Paged()
				moves := ""
				var hangs atomic.Int32
				f.Before(func(p *server.Peer, cmd string, args ...string) bool {
					if strings.ToUpper(cmd) != "CLUSTER" || len(args) == 0 || strings.ToUpper(args[0]) != "NODES" {
						return false
					}
					p.WriteBulk("sender redis:6379@16379 myself,master - 0 0 1 connected 0-16383" + moves + "\n" +
						"getter redis:6380@16380 master - 0 0 2 connected\n")
					return true
				})
				l := f.ClusterMachine(func(o *redis.ClusterOptions) {
					o.ContextTimeoutEnabled = false
					o.ClusterSlots = func(context.Context) ([]redis.ClusterSlot, error) {
						if hangs.Add(-1) >= 0 {
							time.Sleep(time.Minute)
						}
						return []redis.ClusterSlot{{End: 16383, Nodes: []redis.ClusterNode{{Addr: "redis:6379"}}}}, nil
					}
				}).Locker(lock.Config{})
				f.Redis.Set("a:1", "R value")
				told := map[string]int{} // twice for each walk: of its only step, and of its end
				all, err := scanned(t.Context(), t, l, lock.Scan{Progress: func(p lock.Progress) {
					if told[p.Node]++; told["redis:6379"] == 2 && moves == "" {
						moves = " [7->-getter]"
						hangs.Store(tc.unanswered)
					}
				}})
				wantTold := map[string]int{"redis:6379": 2, "redis:6380": 2}
				if tc.want != nil {
					delete(wantTold, "redis:6380")
				}
				if !errors.Is(err, tc.want) || len(all) != 1 || !maps.Equal(told, wantTold) {
					t.Errorf("%v, %v, told of %v, want %v", all, err, told, wantTold)
				}
			})
		})
	}
}

// A scan says which of its settings isn't accepted, and a quorum lock that it has no one state.
func TestScanRefuses(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		l := f.Machine().Locker(lock.Config{})
		for name, s := range map[string]lock.Scan{"Rate": {Rate: -2}, "Sample": {Sample: -1}} {
			var fault *lock.ConfigError
			if _, err := scanned(t.Context(), t, l, s); !errors.As(err, &fault) || fault.Name != name {
				t.Errorf("%s: %v", name, err)
			}
		}
		for range l.Scan(t.Context(), lock.Scan{}) {
			t.Error("there is nothing to report")
		}
	})
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		l := q.Member().Locker(lock.Config{})
		_, err := scanned(t.Context(), t, l, lock.Scan{})
		is(t, err, lock.ErrNoInspect)
		_, err = l.Nodes(t.Context())
		is(t, err, lock.ErrNoInspect)
	})
}

// What a node's round trip takes is not what a connection to it takes.
func TestPingIsARoundTrip(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.Machine(func(o *redis.Options) {
			dial := o.Dialer
			o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
				time.Sleep(300 * time.Millisecond)
				return dial(ctx, network, addr)
			}
		})
		m.On("PING", bubble.Fault{DelayReply: 7 * time.Millisecond})
		nodes, err := m.Locker(lock.Config{}).Nodes(t.Context())
		if err != nil || nodes[0].Ping != 7*time.Millisecond {
			t.Errorf("%+v, %v", nodes, err)
		}
	})
}
