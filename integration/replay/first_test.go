package replay_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

func TestFirstRunsAndIsStored(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := newDesk(t, f)
		r := a.ask(bg, request(), says("done"))
		r.wasRun(t, "done", 1)
		if now := time.Now().UnixMicro(); r.Fence > now || r.Fence < now-int64(time.Minute/time.Microsecond) {
			t.Errorf("fence %d, want Redis's time in µs, about %d", r.Fence, now)
		}
		key := f.OnlyKey()
		if !regexp.MustCompile(`^reprise:[0-9a-f]{64}$`).MatchString(key) {
			t.Errorf("the Redis key is %q", key)
		}
		if ttl := f.Redis.TTL(key); ttl != day {
			t.Errorf("the record lives %v, want %v", ttl, day)
		}
	})
}

func TestDuplicateIsReplayed(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a, b := newDesk(t, f), newDesk(t, f)
		a.ask(bg, request(), says("done"))
		for _, d := range []*desk{a, b, b} {
			d.ask(bg, request(), says("again")).wasReplayed(t, "done")
		}
	})
}

func TestOneOfManyDuplicatesRuns(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		const many = 40
		gate := make(chan struct{})
		var waits []func() reply
		for i := range many {
			waits = append(waits, newDesk(t, f).start(bg, request(), func(context.Context) (replay.Answer, error) {
				<-gate
				return replay.Answer{Value: fmt.Sprint("by ", i)}, nil
			}))
		}
		synctest.Wait() // all but the runner have their answer
		time.Sleep(time.Second)
		close(gate)
		runs := 0
		for _, wait := range waits {
			r := wait()
			if r.ran {
				r.wasRun(t, r.value, 1)
				runs++
				continue
			}
			r.wasRefused(t, replay.ErrInProgress, replay.InProgress)
			if e := r.inProgress(t); e.Left <= leaseTime-time.Second || e.Left > leaseTime || e.Attempt != 1 || e.Lost {
				t.Errorf("got %+v, want attempt 1, nearly %v left", e, leaseTime)
			}
		}
		if runs != 1 {
			t.Errorf("%d of %d duplicates ran", runs, many)
		}
	})
}

func TestInProgressSaysHowLong(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		end := newDesk(t, f).hang(request(), "done")
		time.Sleep(4 * time.Second) // the lease is renewed each 5 s
		if e := newDesk(t, f).ask(bg, request(), says("no")).inProgress(t); e.Left.Round(time.Second) != 11*time.Second {
			t.Errorf("%v left, want 11s", e.Left)
		}
		end().wasRun(t, "done", 1)
	})
}

// What each kind of request costs doesn't depend on the machine.
func TestRoundTrips(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		d.ask(bg, request(), says("done"))
		d.WantTrips("begin", "commit")
		d.ask(bg, request(), says("no")).wasReplayed(t, "done")
		d.WantTrips("begin")
		d.ask(bg, another(), says("no")).wasRefused(t, replay.ErrReused, replay.Reused)
		d.WantTrips("begin")

		other := request()
		other.Key += "2"
		end := d.hang(other, "done")
		d.WantTrips("begin")
		d.ask(bg, other, says("no")).wasRefused(t, replay.ErrInProgress, replay.InProgress)
		d.WantTrips("begin")
		end().wasRun(t, "done", 1)
		d.WantTrips("commit")
	})
}

func TestLongRecordIsFetchedApart(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, func(c *replay.Config) { c.Cache.CompressAbove = -1 })
		long := strings.Repeat("long ", 100_000)
		d.ask(bg, request(), says(long)).wasRun(t, long, 1)
		d.WantTrips("begin", "commit")
		d.ask(bg, request(), says("no")).wasReplayed(t, long)
		d.WantTrips("begin", "GET")
		d.ask(bg, another(), says("no")).wasRefused(t, replay.ErrReused, replay.Reused)
	})
}

func TestOtherScopeIsAnotherKey(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		end := d.hang(request(), "theirs")
		other := request()
		other.Scope = "another " + rawScope
		d.ask(bg, other, says("ours")).wasRun(t, "ours", 1)
		end().wasRun(t, "theirs", 1)
		d.ask(bg, other, says("no")).wasReplayed(t, "ours")
		d.ask(bg, request(), says("no")).wasReplayed(t, "theirs")
	})
}

func TestNoTwoScopesAndKeysCollide(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		for i, pair := range [][2]string{
			{"ab", "c"}, {"a", "bc"}, {"", "abc"}, {"a\x00", "bc"}, {"a", "\x00bc"}, {"a\x00b", "c"}, {"a", "b\x00c"},
			{"", "a"}, {"a", "a"}, {"\x00", "a"}, {"", "\x00a"}, {"", "a\x00"}, {"{a}", "b"}, {"a", "{b}"}, {"A", "bc"}, {"a ", "bc"},
			{"\x00\x00\x00\x00\x00\x00\x00\x01a", "bc"}, {"é", "a"}, {"e\u0301", "a"}, {"", "\xff"}, {"", "\ufffd"},
		} {
			req := replay.Request{Scope: pair[0], Key: pair[1], Fingerprint: "1:one"}
			d.ask(bg, req, says(fmt.Sprint(i))).wasRun(t, fmt.Sprint(i), 1)
			d.ask(bg, req, says("no")).wasReplayed(t, fmt.Sprint(i))
		}
	})
}

func TestOtherPrefixIsAnotherKey(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		newDesk(t, f).ask(bg, request(), says("one")).wasRun(t, "one", 1)
		d := newDesk(t, f, func(c *replay.Config) { c.Prefix = "billing:v2" })
		d.ask(bg, request(), says("two")).wasRun(t, "two", 1)
		d.ask(bg, request(), says("no")).wasReplayed(t, "two")
	})
}

func TestNothingIsKeptInTheClear(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		end := d.hang(request(), "done")
		d.log.CheckRedis(f)
		end()
		d.log.CheckRedis(f)
		other := request()
		other.Key = "{" + rawKey + "}"
		d.ask(bg, other, fails(fmt.Errorf("no")))
		d.log.CheckRedis(f)
		for key := range f.Values() {
			if strings.ContainsAny(key, "{}") {
				t.Errorf("the client's braces steer the key %q to a slot", key)
			}
		}
	})
}

func TestReusedWhenDone(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		d.ask(bg, request(), says("done"))
		d.ask(bg, another(), says("no")).wasRefused(t, replay.ErrReused, replay.Reused)
		d.ask(bg, request(), says("no")).wasReplayed(t, "done")
	})
}

// Another request never succeeds by waiting, so it isn't told to.
func TestReusedComesBeforeInProgress(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		end := newDesk(t, f).hang(request(), "done")
		r := newDesk(t, f).ask(bg, another(), says("no"))
		r.wasRefused(t, replay.ErrReused, replay.Reused)
		end().wasRun(t, "done", 1)
	})
}

func TestReusedAfterAFailedAttempt(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		for _, policy := range []replay.AbandonedPolicy{replay.RunAgain, replay.RefuseUnknown} {
			d := newDesk(t, f, func(c *replay.Config) { c.OnAbandoned = policy })
			d.ask(bg, request(), fails(fmt.Errorf("down")))
			d.ask(bg, another(), says("no")).wasRefused(t, replay.ErrReused, replay.Reused)
		}
	})
}

func TestNoFingerprintIsOne(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		req := request()
		req.Fingerprint = ""
		end := d.hang(req, "done")
		d.ask(bg, req, says("no")).wasRefused(t, replay.ErrInProgress, replay.InProgress)
		d.ask(bg, another(), says("no")).wasRefused(t, replay.ErrReused, replay.Reused)
		end()
		d.ask(bg, req, says("no")).wasReplayed(t, "done")
		d.ask(bg, another(), says("no")).wasRefused(t, replay.ErrReused, replay.Reused)
	})
}

func TestRetention(t *testing.T) {
	for _, tc := range []struct {
		name      string
		cfg       time.Duration
		answer    time.Duration
		retention time.Duration
	}{
		{"a day by default", 0, 0, day},
		{"as configured", time.Hour, 0, time.Hour},
		{"as the answer says", time.Hour, time.Minute, time.Minute},
		{"as the answer says, though shorter than a lease", 0, 50 * time.Millisecond, 50 * time.Millisecond},
		{"as the answer says, though longer than configured", time.Hour, 100 * day, 100 * day},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				d := newDesk(t, f, func(c *replay.Config) { c.Retention = tc.cfg })
				d.ask(bg, request(), func(context.Context) (replay.Answer, error) {
					return replay.Answer{Value: "done", Retention: tc.answer}, nil
				}).wasRun(t, "done", 1)
				time.Sleep(tc.retention - 10*time.Millisecond)
				d.ask(bg, request(), says("no")).wasReplayed(t, "done")
				time.Sleep(20 * time.Millisecond)
				d.ask(bg, request(), says("again")).wasRun(t, "again", 1)
			})
		})
	}
}
