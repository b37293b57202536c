package replay_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// Work runs without a claim only where Redis gave no answer about its key through a fault of Redis or of
// the network. Else Redis is well, and another may hold the key.

func TestOutageOfACluster(t *testing.T) {
	for how, strike := range map[string]func(*bubble.Fleet){"hung": (*bubble.Fleet).Freeze, "vanished": (*bubble.Fleet).Vanish, "down": (*bubble.Fleet).Down} {
		for _, known := range []bool{true, false} {
			t.Run(how, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					d := deskAt(t, f.ClusterMachine(), unguarded)
					if known {
						d.ask(bg, another(), fails(errDown))
					}
					strike(f)
					r := d.ask(bg, request(), says("done"))
					if !r.ran || r.value != "done" || r.Guarded || r.event.Outcome != replay.Unguarded {
						t.Errorf("topology known %v: got %+v, want it run without a claim", known, r)
					}
					f.Up()
					f.Thaw()
				})
			})
		}
	}
}

// Many who find a Redis that hangs ask it once whether it is there.
func TestOutageIsProbedOnceAtATime(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := deskAt(t, f.Machine(func(o *redis.Options) { o.PoolSize = 200 }), unguarded)
		f.Freeze()
		var waits []func() reply
		for range 50 {
			waits = append(waits, d.start(bg, request(), says("done")))
		}
		for _, wait := range waits {
			if r := wait(); !r.ran || r.Guarded {
				t.Errorf("got %+v", r)
			}
		}
		f.Thaw()
		pings := 0
		for _, trip := range d.Trips() {
			if trip == "PING" {
				pings++
			}
		}
		if pings != 1 {
			t.Errorf("%d probes, want 1", pings)
		}
	})
}

func TestUnguardedIsForFaultsOfRedisAlone(t *testing.T) {
	for text, runs := range map[string]bool{
		bubble.OOM: true, bubble.ReadOnly: true,
		"NOREPLICAS Not enough good replicas to write.":                                            true,
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist.": true,
		"LOADING Redis is loading the dataset in memory":                                           true,
		"CLUSTERDOWN Hash slot not served":                                                         true,
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":         true,
		"BUSY Redis is busy running a script.":                                                     true,
		"WRONGPASS invalid username-password pair or user is disabled.":                            false,
		"NOAUTH Authentication required.":                                                          false,
		"NOPERM this user has no permissions to run the 'evalsha' command":                         false,
		"ERR unknown command 'evalsha'":                                                            false,
		"ERR max number of clients reached":                                                        false,
		"MOVED 1 10.0.0.7:6379":                                                                    false,
		"ERR what?":                                                                                false,
	} {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			d := newDesk(t, f, unguarded)
			f.Refuse(text)
			r := d.ask(bg, request(), says("done"))
			if r.ran != runs || r.Guarded {
				t.Errorf("%s: got %+v, want it run: %v", text, r, runs)
			}
			if !runs {
				r.wasRefused(t, replay.ErrUnavailable, replay.Unavailable)
			}
		})
	}
}

// A fault of the client or of this machine says nothing of Redis.
func TestUnguardedIsNotForFaultsOfOurOwn(t *testing.T) {
	dial := func(err error) func(*redis.Options) {
		return func(o *redis.Options) {
			o.Dialer = func(context.Context, string, string) (net.Conn, error) { return nil, err }
		}
	}
	socket := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", err)}
	}
	for name, options := range map[string]func(*redis.Options){
		"no descriptors":        dial(socket(syscall.EMFILE)),
		"no ports":              dial(socket(syscall.EADDRNOTAVAIL)),
		"not allowed":           dial(socket(syscall.EPERM)),
		"an unknown authority":  dial(x509.UnknownAuthorityError{}),
		"a dialer's own reason": dial(errors.New("no")),
		"a limiter":             func(o *redis.Options) { o.Limiter = limiter{} },
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				deskAt(t, f.Machine(options), unguarded).ask(bg, request(), says("no")).
					wasRefused(t, replay.ErrUnavailable, replay.Unavailable)
			})
		})
	}
	t.Run("closed", func(t *testing.T) {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			d := newDesk(t, f, unguarded)
			_ = d.Client.Close()
			d.ask(bg, request(), says("no")).wasRefused(t, replay.ErrUnavailable, replay.Unavailable)
		})
	})
}

type limiter struct{}

func (limiter) Allow() error       { return errors.New("circuit open") }
func (limiter) ReportResult(error) {}

// The key is held by this request, as another machine told it apart: asking again for it fails, but Redis
// has said that it is held.
func TestUnguardedKnowsTheHolderByAnotherFingerprint(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		end := newDesk(t, f).hang(request(), "done")
		d := newDesk(t, f, unguarded)
		req := another()
		req.Wait = time.Minute
		req.Same = func(string) (bool, error) { d.Down(); return true, nil }
		d.ask(bg, req, says("again")).wasRefused(t, replay.ErrUnavailable, replay.Unavailable)
		d.Up()
		end().wasRun(t, "done", 1)
	})
}

// A claim that came too late to use, or that too few replicas have, is an answer about the key.
func TestUnguardedIsNotForAGrant(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Replicas(0)
		d := newDesk(t, f, unguarded, ackedByOne)
		r := d.ask(bg, request(), says("no"))
		r.wasRefused(t, lock.ErrUnconfirmed, replay.Unavailable)
		d.log.wants(t, "requests are refused", "too few replicas confirmed", 1)
	})
}

// A long answer expired while it was fetched, and the key was taken again: that Redis goes away when it is
// asked once more doesn't unsay what it has said.
func TestUnguardedKnowsOfAnAnswerThatExpired(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		newDesk(t, f).ask(bg, request(), says(bubble.Noise(100<<10))).wasRun(t, bubble.Noise(100<<10), 1)
		var end func() reply
		d := newDesk(t, f, unguarded)
		d.On("begin", bubble.Meanwhile(func() {
			f.Redis.FlushAll()
			end = newDesk(t, f).hang(request(), "done")
		}))
		d.OnNext(100, "begin", bubble.LoseCommand)
		d.ask(bg, request(), says("again")).wasRefused(t, replay.ErrUnavailable, replay.Unavailable)
		d.Heal()
		end().wasRun(t, "done", 1)
	})
}
