package lock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// A thing is what can stand under the key.
type thing struct {
	name  string
	put   func(t *testing.T, f *bubble.Fleet)
	act   lock.Act // what an operator does about it
	claim string   // things of one claim are the same
}

// things are all of a kind that can stand under a key, each differing from another as little as can be.
func things() (all []thing) {
	value := func(name string, act lock.Act, claim, text string, ttl time.Duration) {
		all = append(all, thing{name, func(t *testing.T, f *bubble.Fleet) {
			t.Helper()
			if err := f.Redis.Set(key, text); err != nil {
				t.Fatal(err)
			}
			f.Redis.SetTTL(key, ttl)
		}, act, claim})
	}
	claim := func(name string, attempt, fence int, fingerprint, owner string) {
		text := fmt.Sprintf("L1 %d %d %d %s %s", attempt, fence, remember.Milliseconds(), fingerprint, strings.Repeat(owner, 32))
		value(name, lock.AbandonClaim, text, text, remember+ttl)
		value(name+", renewed since", lock.ReleaseClaim, text, text, remember+time.Second)
		value(name+", lapsed", lock.ReleaseClaim, text, text, remember)
	}
	all = append(all, thing{name: "nothing", put: func(*testing.T, *bubble.Fleet) {}})
	claim("a claim", 1, 1000, "one", "a")
	claim("another attempt", 2, 1000, "one", "a")
	claim("another fence", 1, 1001, "one", "a")
	claim("another fingerprint", 1, 1000, "two", "a")
	claim("another owner", 1, 1000, "one", "b")

	record := "R\x01\x00\x00" + strings.Repeat("\x00record\xff", 100)
	last := len(record) - 1
	for name, text := range map[string]string{
		"a value":            record,
		"another first byte": "S" + record[1:],
		"another fence":      record[:9] + "!" + record[10:],
		"another last byte":  record[:last] + "!",
		"a longer value":     record[:last] + "!" + record[last:],
		"a cut value":        record[:512],
		"a long value":       strings.Repeat(record, 100),
		"an empty value":     "",
		"nearly a claim":     "L1 0 1 1 - " + strings.Repeat("a", 32),
	} {
		value(name, lock.ForgetValue, name, text, retention)
	}
	value("a value for ever", lock.ForgetValue, "a value for ever", "for ever", 0)
	all = append(all, thing{name: "a list", put: func(t *testing.T, f *bubble.Fleet) {
		t.Helper()
		if _, err := f.Redis.Lpush(key, "a"); err != nil {
			t.Fatal(err)
		}
	}})
	return all
}

func inspect(t *testing.T, l *lock.Locker) lock.Sight {
	t.Helper()
	seen, err := l.Inspect(t.Context(), key, 0)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// Whatever stands under the key when an operator acts: only what was inspected is acted on.
func TestActOnNothingButWhatWasInspected(t *testing.T) {
	all := things()
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		l := f.Machine().Locker(lock.Config{})
		for _, then := range all {
			if then.act == "" {
				continue
			}
			for _, now := range all {
				f.Redis.Del(key)
				then.put(t, f)
				seen := inspect(t, l)
				f.Redis.Del(key)
				now.put(t, f)
				text, _ := f.Redis.Get(key)
				before := inspect(t, l)

				err := l.Act(t.Context(), then.act, seen)
				if then.claim == now.claim {
					if err != nil || then.act != lock.AbandonClaim && f.Redis.Exists(key) || then.act == lock.AbandonClaim && f.Redis.TTL(key) != remember {
						t.Errorf("%s of %s: %v, with %v to live", then.act, then.name, err, f.Redis.TTL(key))
					}
					continue
				}
				changed, ok := errors.AsType[*lock.ChangedError](err)
				if !ok || !errors.Is(err, lock.ErrChanged) || changed.Now.Standing != before.Standing || !changed.Now.Same(before) {
					t.Errorf("%s of %s, now %s: %v", then.act, then.name, now.name, err)
				}
				if left, _ := f.Redis.Get(key); left != text || !inspect(t, l).Same(before) {
					t.Errorf("%s of %s has touched %s", then.act, then.name, now.name)
				}
			}
		}
	})
}

// An act that doesn't fit says which ones do, and does nothing.
func TestActsThatDoNotFit(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		l := a.Locker(lock.Config{})
		fit := map[lock.Standing][]lock.Act{
			lock.Claimed:   {lock.ReleaseClaim, lock.AbandonClaim},
			lock.Abandoned: {lock.ReleaseClaim},
			lock.Valued:    {lock.ForgetValue},
		}
		for _, thing := range things() {
			f.Redis.Del(key)
			thing.put(t, f)
			seen := inspect(t, l)
			a.Trips()
			for _, act := range []lock.Act{lock.ReleaseClaim, lock.AbandonClaim, lock.ForgetValue, "reset"} {
				if slices.Contains(fit[seen.Standing], act) {
					continue
				}
				err := l.Act(t.Context(), act, seen)
				unfit, ok := errors.AsType[*lock.UnfitError](err)
				if !ok || !errors.Is(err, lock.ErrUnfit) || !slices.Equal(unfit.Fit, fit[seen.Standing]) || unfit.Standing != seen.Standing || unfit.Act != act {
					t.Errorf("%s of %s: %v", act, thing.name, err)
				}
			}
			a.WantTrips()
		}
	})
}

// What is seen under the key is what stands there, bytes and all.
func TestInspect(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		l := a.Locker(lock.Config{})
		if s := inspect(t, l); s.Standing != lock.Free || s.Key != key || s.Size != 0 || s.Remembered != 0 || s.At.IsZero() {
			t.Errorf("nothing: %+v", s)
		}
		a.WantTrips("inspect")

		lease := grant(t, l, lock.Terms{Fingerprint: "one"})
		time.Sleep(time.Second)
		s := inspect(t, l)
		if s.Standing != lock.Claimed || s.Claim.Owner != lease.Owner() || s.Claim.Fence != lease.Fence() || s.Claim.Attempt != 1 ||
			s.Claim.Fingerprint != "one" || s.Left != ttl-time.Second || s.Remembered != ttl-time.Second+remember || s.At.UnixMicro() != lease.Fence()+1e6 {
			t.Errorf("claimed: %+v", s)
		}
		if err := lease.Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now := inspect(t, l); now.Standing != lock.Abandoned || now.Left != 0 || now.Remembered != remember || !now.Same(s) || now.Identity() != s.Identity() {
			t.Errorf("abandoned: %+v", now)
		}

		hostile := "\x00L1 \xff\r\n$-1\r\n" + strings.Repeat("\x1b[2J", 200)
		if err := f.Redis.Set(key, hostile); err != nil {
			t.Fatal(err)
		}
		if s := inspect(t, l); s.Standing != lock.Valued || s.Head != hostile[:512] || s.Size != int64(len(hostile)) || s.Remembered != lock.Never {
			t.Errorf("hostile: %s, %d bytes, %q", s.Standing, s.Size, s.Head)
		}
		for head, want := range map[int]int{-1: 512, 0: 512, 600: 600, 1 << 30: len(hostile)} {
			if s, err := l.Inspect(t.Context(), key, head); err != nil || s.Head != hostile[:min(want, len(hostile))] {
				t.Errorf("head %d: %d bytes, %v", head, len(s.Head), err)
			}
		}
	})
}

// Redis away, a caller who has gone, a key that is none: each has its error, and none hangs.
func TestInspectAndActInTrouble(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		l := f.Machine().Locker(lock.Config{})
		lease := grant(t, l, anyone)
		seen := inspect(t, l)
		gone, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("the operator has gone")
		cancel(reason)
		_, err := l.Inspect(gone, key, 0)
		is(t, err, reason)
		is(t, l.Act(gone, lock.ReleaseClaim, seen), reason)
		_, err = l.Inspect(t.Context(), "", 0)
		if _, ok := errors.AsType[*lock.KeyError](err); !ok {
			t.Errorf("no key: %v", err)
		}
		for _, outage := range bubble.Outages[:2] {
			outage.Begin(f)
			begun := time.Now()
			_, err = l.Inspect(t.Context(), key, 0)
			is(t, err, lock.ErrUnavailable)
			is(t, l.Act(t.Context(), lock.ReleaseClaim, seen), lock.ErrUnavailable)
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("%s: it took %v", outage.Name, took)
			}
			outage.End(f)
		}
		_ = lease.Abandon(t.Context())
	})
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		l := q.Member().Locker(lock.Config{})
		_, err := l.Inspect(t.Context(), key, 0)
		is(t, err, lock.ErrNoInspect)
		is(t, l.Act(t.Context(), lock.ReleaseClaim, lock.Sight{Key: key, Standing: lock.Claimed}), lock.ErrNoInspect)
		_, err = l.Nodes(t.Context())
		is(t, err, lock.ErrNoInspect)
		for _, err := range l.Scan(t.Context(), lock.Scan{}) {
			is(t, err, lock.ErrNoInspect)
		}
	})
}

// Who leaves while Redis hangs learns why they left, and Redis is not to blame, as far as anybody knows.
func TestOperatorLeavesWhileRedisHangs(t *testing.T) {
	reason := errors.New("the operator has gone")
	for name, connect := range map[string]func(*bubble.Fleet) *bubble.Machine{
		"one server": func(f *bubble.Fleet) *bubble.Machine { return f.Machine() },
		"a cluster":  func(f *bubble.Fleet) *bubble.Machine { return f.ClusterMachine() }, // of which nothing is known yet
	} {
		for what, ask := range map[string]func(context.Context, *lock.Locker) error{
			"inspect": func(ctx context.Context, l *lock.Locker) error { _, err := l.Inspect(ctx, key, 0); return err },
			"scan":    func(ctx context.Context, l *lock.Locker) error { _, err := scanned(ctx, t, l, lock.Scan{}); return err },
			"nodes": func(ctx context.Context, l *lock.Locker) error {
				nodes, err := l.Nodes(ctx)
				if err == nil {
					err = nodes[0].Err
				}
				return err
			},
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					var told counts
					l := connect(f).Locker(lock.Config{Trace: told.trace()})
					f.Freeze()
					ctx, leave := context.WithCancelCause(t.Context())
					time.AfterFunc(100*time.Millisecond, func() { leave(reason) })
					begun := time.Now()
					is(t, ask(ctx, l), reason)
					if took := time.Since(begun); took > 3*time.Second {
						t.Errorf("it took %v", took)
					}
					told.wantCount(t, "inspect failed", 0)
				})
			})
		}
	}
}

// A live holder whose claim is taken away learns it, and its late commit is what the doc comment says.
func TestALiveHolderIsActedOn(t *testing.T) {
	for name, tc := range map[string]struct {
		act    lock.Act
		next   bool // another begins before the commit
		late   lock.Stored
		lost   error
		number int // of the next attempt
	}{
		"released, and free":   {act: lock.ReleaseClaim, late: lock.StoredUnclaimed},
		"released, and taken":  {act: lock.ReleaseClaim, next: true, lost: lock.ErrHeld, number: 1},
		"abandoned, and left":  {act: lock.AbandonClaim, late: lock.StoredNow},
		"abandoned, and taken": {act: lock.AbandonClaim, next: true, lost: lock.ErrHeld, number: 2},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				l := f.Machine().Locker(lock.Config{})
				operator := f.Machine().Locker(lock.Config{})
				lease := grant(t, l, anyone)
				time.Sleep(7 * time.Second) // it has been renewed
				if err := operator.Act(t.Context(), tc.act, inspect(t, operator)); err != nil {
					t.Fatal(err)
				}
				live(t, lease) // it doesn't know yet
				var second *lock.Lease
				if tc.next {
					if second = grant(t, operator, anyone); second.Attempt() != tc.number || second.Fence() <= lease.Fence() {
						t.Errorf("attempt %d, fence %d after %d", second.Attempt(), second.Fence(), lease.Fence())
					}
				}
				stored, err := lease.Commit(t.Context(), value(lease), retention)
				if stored != tc.late || tc.lost == nil && err != nil {
					t.Errorf("late: %d, %v", stored, err)
				}
				if tc.lost != nil {
					is(t, err, lock.ErrLost, tc.lost)
					ended(t, lease, lock.ErrLost)
					commit(t, second, lock.StoredNow)
				}
			})
		})
		t.Run(name+", and it learns by itself", func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				l := f.Machine().Locker(lock.Config{})
				lease := grant(t, l, anyone)
				if err := l.Act(t.Context(), tc.act, inspect(t, l)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(ttl/3 + time.Millisecond)
				ended(t, lease, lock.ErrLost)
				is(t, lease.Release(t.Context()), lock.ErrLost)
			})
		})
	}
}

// Those who wait are told, and don't find out by asking.
func TestWaitersAreToldOfAnAct(t *testing.T) {
	for _, act := range []lock.Act{lock.ReleaseClaim, lock.AbandonClaim} {
		t.Run(string(act), func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				f.Channels()
				a := f.Machine()
				operator := f.Machine().Locker(lock.Config{})
				crashed := grant(t, a.Locker(lock.Config{}), anyone)
				result := waiting(t, t.Context(), f.Machine().Locker(lock.Config{}), anyone)
				time.Sleep(time.Second)
				if err := operator.Act(t.Context(), act, inspect(t, operator)); err != nil {
					t.Fatal(err)
				}
				if _, err, took := result(); err != nil || took != time.Second {
					t.Errorf("it took %v, %v", took, err)
				}
				_ = crashed.Abandon(t.Context())
			})
		})
	}
}

// An act whose reply is lost is sent again, and says what has become of it.
func TestActSentTwice(t *testing.T) {
	for name, fault := range map[string]bubble.Fault{"reply lost": bubble.LoseReply, "command lost": bubble.LoseCommand} {
		for _, thing := range things() {
			if thing.act == "" {
				continue
			}
			t.Run(name+"/"+thing.name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					thing.put(t, f)
					a := f.Machine()
					l := a.Locker(lock.Config{})
					seen := inspect(t, l)
					a.On("act", fault)
					if err := l.Act(t.Context(), thing.act, seen); err != nil {
						t.Error(err)
					}
					a.WantTrips("inspect", "act", "act")
				})
			})
		}
	}
	// By its operator: the client doesn't.
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine(func(o *redis.Options) { o.MaxRetries = -1 })
		l := a.Locker(lock.Config{})
		lease := grant(t, f.Machine().Locker(lock.Config{}), anyone)
		seen := inspect(t, l)
		a.On("act", bubble.LoseReply)
		is(t, l.Act(t.Context(), lock.ReleaseClaim, seen), lock.ErrUnavailable)
		second := grant(t, l, anyone)
		is(t, l.Act(t.Context(), lock.ReleaseClaim, seen), lock.ErrChanged)
		live(t, second)
		_ = lease.Abandon(t.Context())
	})
}
