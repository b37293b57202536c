package replay_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// workOf is work that hands over its identity, and then answers "done".
func workOf(t *testing.T, got *replay.Work) work {
	return func(ctx context.Context) (replay.Answer, error) {
		w, ok := replay.WorkFrom(ctx)
		if !ok {
			t.Error("the work has no identity")
		}
		*got = w
		return replay.Answer{Value: "done"}, nil
	}
}

func TestWorkHasItsIdentity(t *testing.T) {
	if _, ok := replay.WorkFrom(bg); ok {
		t.Error("there is work outside of any")
	}
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d, watcher := newDesk(t, f, unguarded), newDesk(t, f, shadow)
		var first, second, free, observed replay.Work

		r := d.ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
			workOf(t, &first)(ctx)
			return replay.Answer{}, errors.New("failed")
		})
		if first.Key != f.OnlyKey() || first.Fingerprint != "1:one" || first.Attempt != 1 ||
			!first.Guarded || first.Shadow || first.Fence == 0 {
			t.Errorf("got %+v of %+v", first, r)
		}
		r = d.ask(bg, request(), workOf(t, &second))
		if second.Key != first.Key || second.Attempt != 2 || second.Fence != r.Fence || second.Fence <= first.Fence {
			t.Errorf("got %+v of %+v", second, r)
		}
		watcher.ask(bg, request(), workOf(t, &observed))
		if observed.Key != first.Key || !observed.Shadow || observed.Guarded {
			t.Errorf("in shadow: got %+v", observed)
		}
		f.Down()
		d.ask(bg, request(), workOf(t, &free))
		if free.Key != first.Key || free.Fingerprint != "1:one" || free.Attempt != 0 || free.Fence != 0 || free.Guarded {
			t.Errorf("without Redis: got %+v", free)
		}
	})
}

// Work that goes on after a refusal can see that, and the first refusal is the one that counts.
func TestRefusedWorkKnows(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		r := d.ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
			w, _ := replay.WorkFrom(ctx)
			if err := w.Refused(); err != nil {
				t.Errorf("before: %v", err)
			}
			w.Match(ctx, "1:another")
			if err := w.Refused(); !errors.Is(err, replay.ErrReused) {
				t.Errorf("after: %v", err)
			}
			w.Match(ctx, "1:one")
			if err := w.Refused(); !errors.Is(err, replay.ErrReused) {
				t.Errorf("after an effect of its own: %v", err)
			}
			return replay.Answer{Value: "done"}, nil
		})
		r.is(t, replay.ErrReused)
	})
}

// finds is work that finds an effect of this fingerprint in its database, and answers all the same.
func finds(fingerprint string, told *error) work {
	return func(ctx context.Context) (replay.Answer, error) {
		w, _ := replay.WorkFrom(ctx)
		if *told = w.Match(ctx, fingerprint); *told == nil {
			w.Repeated()
		}
		return replay.Answer{Value: "done"}, nil
	}
}

func TestEffectOfAnEarlierAttempt(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, unguarded)
		var told error
		r := d.ask(bg, request(), finds("1:one", &told))
		if told != nil || r.err != nil || r.value != "done" || !r.Repeated || !r.event.Repeated || !r.Stored || r.Replayed {
			t.Errorf("got %+v, told %v", r, told)
		}
		// The record is like any other.
		r = d.ask(bg, request(), says("no"))
		if r.ran || !r.Replayed || r.Repeated || r.event.Repeated {
			t.Errorf("got %+v", r)
		}
		f.Down()
		r = d.ask(bg, request(), finds("1:one", &told))
		if told != nil || !r.Repeated || !r.event.Repeated || r.event.Outcome != replay.Unguarded {
			t.Errorf("without Redis: got %+v, told %v", r, told)
		}
	})
}

// The work answers, and the request is refused all the same. The key is free again for the request
// whose effect it is.
func TestEffectOfAnotherRequest(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, unguarded)
		var told error
		refused := func() {
			t.Helper()
			r := d.ask(bg, another(), finds("1:one", &told))
			if !errors.Is(told, replay.ErrReused) || !errors.Is(r.err, replay.ErrReused) || r.value != "" ||
				r.event.Outcome != replay.Reused || r.Stored || r.Repeated {
				t.Errorf("got %+v, told %v", r, told)
			}
		}
		refused()
		if v := f.Values(); len(v) > 0 {
			t.Errorf("the key is not free: %v", v)
		}
		if r := d.ask(bg, request(), finds("1:one", &told)); r.err != nil || r.event.Attempt != 1 || !r.Repeated {
			t.Errorf("its own request: got %+v", r)
		}
		f.Down()
		refused()
	})
}

// As a free key is no reason to ask Authorize, an effect is.
func TestEffectIsAStateToBeAuthorized(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		asked, allowed := 0, false
		req := request()
		req.Authorize = func(context.Context) error {
			if asked++; !allowed {
				return errors.New("not yours")
			}
			return nil
		}
		var told error
		r := d.ask(bg, req, finds("1:one", &told))
		if asked != 1 || !errors.Is(told, replay.ErrReplayRefused) || !errors.Is(r.err, replay.ErrReplayRefused) ||
			r.event.Outcome != replay.ReplayRefused {
			t.Errorf("asked %d times, told %v, got %+v", asked, told, r)
		}
		if v := f.Values(); len(v) > 0 {
			t.Errorf("the key is not free: %v", v)
		}
		allowed = true
		r = d.ask(bg, req, func(ctx context.Context) (replay.Answer, error) {
			finds("1:one", &told)(ctx)
			return finds("1:one", &told)(ctx)
		})
		if asked != 2 || told != nil || !r.Repeated {
			t.Errorf("asked %d times, told %v, got %+v", asked, told, r)
		}
	})
}

// An Authorize that panics has not allowed anything, and is not asked again.
func TestEffectIsHiddenIfAuthorizePanics(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		req := request()
		req.Authorize = func(context.Context) error { panic("authorize") }
		var told error
		r := newDesk(t, f).ask(bg, req, func(ctx context.Context) (replay.Answer, error) {
			func() {
				defer func() { recover() }()
				finds("1:one", &told)(ctx)
			}()
			return finds("1:one", &told)(ctx)
		})
		if !errors.Is(told, replay.ErrReplayRefused) || !errors.Is(r.err, replay.ErrReplayRefused) {
			t.Errorf("told %v, got %+v", told, r)
		}
	})
}

// In shadow mode nothing is refused.
func TestShadowOverlooksEffects(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, shadow)
		var told error
		d.ask(bg, another(), finds("1:one", &told)).wasShadowed(t, "done", replay.Stored, nil)
	})
}

// A goroutine that the work leaves behind changes nothing any more.
func TestWorkThatHasReturnedFindsNothing(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		var left replay.Work
		d.ask(bg, request(), workOf(t, &left))
		if err := left.Match(bg, "1:another"); !errors.Is(err, replay.ErrNoWork) {
			t.Errorf("got %v, want ErrNoWork", err)
		}
	})
}

// Several goroutines of the work may find something, and Same is asked by one at a time.
func TestWorkFindsFromSeveralGoroutines(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		asked := 0
		req := request()
		req.Same = func(string) (bool, error) { asked++; return true, nil }
		r := d.ask(bg, req, func(ctx context.Context) (replay.Answer, error) {
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					w, _ := replay.WorkFrom(ctx)
					if err := w.Match(ctx, "0:one"); err != nil {
						t.Error(err)
					}
					w.Repeated()
				})
			}
			all.Wait()
			return replay.Answer{Value: "done"}, nil
		})
		if r.err != nil || !r.Repeated || asked != 20 {
			t.Errorf("got %+v, Same was asked %d times", r, asked)
		}
	})
}

func TestDeriveKey(t *testing.T) {
	if key, err := replay.DeriveKey(bg, "charge"); key != "" || !errors.Is(err, replay.ErrNoWork) {
		t.Errorf("outside of work: %q, %v", key, err)
	}
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d, watcher := newDesk(t, f, unguarded), newDesk(t, f, shadow)
		derived := func(d *desk, req replay.Request, name string) (key string) {
			t.Helper()
			d.ask(bg, req, func(ctx context.Context) (replay.Answer, error) {
				var err error
				if key, err = replay.DeriveKey(ctx, name); err != nil {
					t.Error(err)
				}
				return replay.Answer{}, errors.New("failed") // so that the next request is another attempt
			})
			return key
		}
		charge := derived(d, request(), "charge")
		uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
		if !uuid.MatchString(charge) {
			t.Errorf("%q is no UUID of version 8", charge)
		}
		if strings.Contains(f.OnlyKey(), strings.ReplaceAll(charge[:13], "-", "")) {
			t.Errorf("%q is part of the Redis key", charge)
		}
		if again := derived(d, request(), "charge"); again != charge {
			t.Errorf("attempt 2 has %q, attempt 1 had %q", again, charge)
		}
		if mail := derived(d, request(), "mail"); mail == charge {
			t.Error("two names have one key")
		}
		other := request()
		other.Scope = "another tenant"
		if theirs := derived(d, other, "charge"); theirs == charge {
			t.Error("two scopes have one key")
		}
		// What is observed must not be joined with what another request did under the key.
		if a, b := derived(watcher, request(), "charge"), derived(watcher, request(), "charge"); a == b || a == charge {
			t.Errorf("in shadow mode: %q and %q beside %q", a, b, charge)
		}
		f.Down()
		if free := derived(d, request(), "charge"); free != charge {
			t.Errorf("without Redis it is %q, with it %q", free, charge)
		}
		d.ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
			_, err := replay.DeriveKey(ctx, "")
			if fault, ok := errors.AsType[*replay.ConfigError](err); !ok || fault.Name != "name" {
				t.Errorf("without a name: %v", err)
			}
			return replay.Answer{}, nil
		})
	})
}
