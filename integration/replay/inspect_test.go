package replay_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// inspect is what an operator sees under the key of most tests, by its key and by its digest.
func (d *desk) inspect() replay.Entry {
	d.t.Helper()
	e, err := d.engine.Inspect(bg, rawScope, rawKey)
	if err != nil {
		d.t.Fatal(err)
	}
	same, err := d.engine.InspectDigest(bg, d.engine.Digest(rawScope, rawKey))
	if err != nil || same != e {
		d.t.Errorf("by its digest it is %+v, %v, and by its key %+v", same, err, e)
	}
	return e
}

// Each state is told from all others, with what is known of it.
func TestInspect(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		digest := d.engine.Digest(rawScope, rawKey)

		e := d.inspect()
		if e.State != replay.KeyFree || e.Key != "reprise:"+digest || e.Digest != digest || e.Remembered != 0 || e.Size != 0 || len(e.Fit()) != 0 {
			t.Errorf("free: %+v", e)
		}

		end := d.hang(request(), "done")
		time.Sleep(2 * time.Second)
		e = d.inspect()
		if e.State != replay.KeyClaimed || e.Attempt != 1 || e.Fingerprint != "1:one" || len(e.Owner) != 32 ||
			e.Left.Round(time.Second) != leaseTime-2*time.Second || e.Remembered != e.Left+day ||
			e.Age.Round(time.Second) != 2*time.Second || e.At.UnixMicro()-e.Fence != e.Age.Microseconds() || e.Size != 68 {
			t.Errorf("claimed: %+v", e)
		}
		claimed := e
		end()

		e = d.inspect()
		if e.State != replay.KeyDone || e.Fence != claimed.Fence || e.Owner != claimed.Owner || e.Fingerprint != "1:one" || e.Attempt != 0 ||
			e.Left != 0 || e.Remembered != day || e.Version != 1 || e.Sealed || e.Compressed || e.Tombstone || e.Age.Round(time.Second) != 2*time.Second {
			t.Errorf("done: %+v", e)
		}
		if value, err := d.engine.Reveal(bg, e); value != "done" || err != nil {
			t.Errorf("revealed: %v, %v", value, err)
		}

		if err := d.engine.Forget(bg, e); err != nil {
			t.Fatal(err)
		}
		crash(t, f, request())
		time.Sleep(leaseTime)
		e = d.inspect()
		if e.State != replay.KeyAbandoned || e.Attempt != 1 || e.Left != 0 || e.Remembered != day || e.Age.Round(time.Second) != leaseTime {
			t.Errorf("abandoned: %+v", e)
		}
		var unfit *replay.UnfitError
		if err := d.engine.Abandon(bg, e); !errors.As(err, &unfit) || strings.Join(unfit.Fit, " ") != "release" {
			t.Errorf("abandoned again: %v", err)
		}
		if err := d.engine.Release(bg, e); err != nil {
			t.Error(err)
		}
		d.ask(bg, request(), says("again")).wasRun(t, "again", 1)

		f.Redis.Set(e.Key, "\x00{\"foreign\": 1}")
		e = d.inspect()
		if e.State != replay.KeyForeign || e.Fault != "not a record: the value begins with byte 0x00" || e.Remembered != lock.Never || e.Size != 15 {
			t.Errorf("foreign: %+v", e)
		}
		if err := d.engine.Forget(bg, e); err != nil {
			t.Error(err)
		}
		if _, err := f.Redis.Lpush(e.Key, "x"); err != nil {
			t.Fatal(err)
		}
		e = d.inspect()
		if e.State != replay.KeyForeign || len(e.Fit()) != 0 || e.Size != 0 {
			t.Errorf("a list: %+v", e)
		}
	})
}

// What can't be inspected, revealed or acted on has a typed error, in which no key is told.
func TestInspectRefuses(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, func(c *replay.Config) { c.Cache.MaxDecoded = 4096 })
		check := func(err error, targets ...error) {
			t.Helper()
			for _, target := range targets {
				if !errors.Is(err, target) {
					t.Errorf("got %v, want it to be: %v", err, target)
				}
			}
			if err != nil {
				d.log.Check("an error", err.Error())
			}
		}
		if _, err := d.engine.Inspect(bg, rawScope, ""); !isA[*lock.KeyError](err) {
			t.Errorf("no key: %v", err)
		}
		for _, digest := range []string{"", rawKey, strings.Repeat("F", 64), strings.Repeat("0", 63), "reprise:" + strings.Repeat("0", 64)} {
			_, err := d.engine.InspectDigest(bg, digest)
			if fault, ok := errors.AsType[*replay.ConfigError](err); !ok || fault.Name != "digest" {
				t.Errorf("%q: %v", digest, err)
			}
			check(err)
		}
		for _, do := range []func(replay.Entry) error{
			func(e replay.Entry) error { return d.engine.Release(bg, e) },
			func(e replay.Entry) error { return d.engine.Abandon(bg, e) },
			func(e replay.Entry) error { return d.engine.Forget(bg, e) },
			func(e replay.Entry) error { _, err := d.engine.Reveal(bg, e); return err },
		} {
			if err := do(replay.Entry{Key: "reprise:made up"}); !isA[*replay.ConfigError](err) {
				t.Errorf("an Entry that nobody has seen: %v", err)
			}
			check(do(d.inspect()), replay.ErrUnfit, lock.ErrUnfit)
		}

		// A tombstone, and a record that is too long for this engine.
		tombstone := func(context.Context) (replay.Answer, error) { return replay.Answer{Verdict: replay.Tombstone}, nil }
		d.ask(bg, request(), tombstone)
		e := d.inspect()
		_, err := d.engine.Reveal(bg, e)
		check(err, replay.ErrReplayUnavailable)
		if !e.Tombstone || strings.Join(e.Fit(), " ") != "forget" {
			t.Errorf("%+v", e)
		}
		check(d.engine.Forget(bg, e))
		newDesk(t, f).ask(bg, request(), says(bubble.Noise(8000))).wasRun(t, bubble.Noise(8000), 1)
		e = d.inspect()
		_, err = d.engine.Reveal(bg, e)
		check(err, replay.ErrUnreadable)
		if !isA[*cache.TooLargeError](err) {
			t.Errorf("too long: %v", err)
		}

		f.Down()
		_, err = d.engine.Inspect(bg, rawScope, rawKey)
		check(err, replay.ErrUnavailable)
		check(d.engine.Forget(bg, e), replay.ErrUnavailable)
		_, err = d.engine.Reveal(bg, e)
		check(err, replay.ErrUnreadable) // without asking
	})
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// An entry that is shown now and acted on later is told by its mark.
func TestMark(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		marks := map[string]int{d.inspect().Mark(): 0}
		end := d.hang(request(), "done")
		claim := d.inspect().Mark()
		marks[claim]++
		time.Sleep(leaseTime + time.Second) // renewed
		if d.inspect().Mark() != claim {
			t.Error("a renewal changes the mark")
		}
		end()
		marks[d.inspect().Mark()]++
		other := request()
		other.Key = "another"
		d.ask(bg, other, says("done"))
		e, err := d.engine.Inspect(bg, other.Scope, other.Key)
		if err != nil {
			t.Fatal(err)
		}
		if marks[e.Mark()]++; len(marks) != 4 {
			t.Errorf("marks: %v", marks)
		}
	})
}

// An operator who is told what stands there instead can act on that: by its mark, and by itself.
func TestMarkOfWhatHasChanged(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		end := d.hang(request(), bubble.Noise(1000))
		claim := d.inspect()
		end()
		err := d.engine.Release(bg, claim)
		changed, ok := errors.AsType[*replay.ChangedError](err)
		if !ok || !errors.Is(err, replay.ErrChanged) || !errors.Is(err, lock.ErrChanged) {
			t.Fatal(err)
		}
		if changed.Now.Mark() != d.inspect().Mark() {
			t.Fatalf("the mark of what stands there is %s by the error, and %s by Inspect", changed.Now.Mark(), d.inspect().Mark())
		}
		if err := d.engine.Forget(bg, changed.Now); err != nil {
			t.Error(err)
		}
		d.ask(bg, request(), says("again")).wasRun(t, "again", 1)
	})
}

// After an act, the next request is what the act's comment says.
func TestNextRequestAfterAnAct(t *testing.T) {
	for name, tc := range map[string]struct {
		act     func(*replay.Engine, context.Context, replay.Entry) error
		policy  replay.AbandonedPolicy
		attempt int // 0: refused
	}{
		"released":                {(*replay.Engine).Release, replay.RefuseUnknown, 1},
		"abandoned":               {(*replay.Engine).Abandon, replay.RunAgain, 2},
		"abandoned, and refusing": {(*replay.Engine).Abandon, replay.RefuseUnknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				d := newDesk(t, f, onAbandoned(tc.policy))
				late := d.start(bg, request(), untilEnd("late"))
				time.Sleep(time.Second)
				if err := tc.act(d.engine, bg, d.inspect()); err != nil {
					t.Fatal(err)
				}
				r := d.ask(bg, request(), says("next"))
				if tc.attempt == 0 {
					r.wasRefused(t, replay.ErrOutcomeUnknown, replay.OutcomeUnknown)
				} else {
					r.wasRun(t, "next", tc.attempt)
				}
				// The first one's answer is kept only if nobody has come in between.
				if first := late(); tc.attempt > 0 && (first.value != "next" || !first.Replayed) {
					t.Errorf("late: %+v", first)
				}
			})
		})
	}
}
