package replay_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

type receipt struct {
	ID     string
	Amount int64
	Lines  []string
	Meta   map[string]string
	At     time.Time
	Next   *receipt
	hidden int
}

// do runs Do[T] twice, and returns the fresh value and the replayed one.
func do[T any](t *testing.T, work func(context.Context) (T, error)) (fresh, replayed T) {
	t.Helper()
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var err error
		var result replay.Result
		fresh, result, err = replay.Do(eventless(), newDesk(t, f).engine, request(), work)
		if err != nil || result.Replayed || !result.Stored {
			t.Fatalf("fresh: %+v, %v", result, err)
		}
		replayed, result, err = replay.Do(eventless(), newDesk(t, f).engine, request(), func(context.Context) (none T, _ error) {
			t.Error("it ran again")
			return none, nil
		})
		if err != nil || !result.Replayed || !result.Stored {
			t.Fatalf("replayed: %+v, %v", result, err)
		}
	})
	return fresh, replayed
}

func eventless() context.Context { return context.WithValue(bg, eventsKey{}, new([]replay.Event)) }

func same[T any](t *testing.T, v T) {
	t.Helper()
	fresh, replayed := do(t, func(context.Context) (T, error) { return v, nil })
	if !reflect.DeepEqual(fresh, v) || !reflect.DeepEqual(replayed, v) {
		t.Errorf("%T: fresh %+v, replayed %+v, want %+v", v, fresh, replayed, v)
	}
}

func TestDoGivesTheSameValue(t *testing.T) {
	full := receipt{ID: "r1", Amount: 1999, Lines: []string{"a", ""}, Meta: map[string]string{"k": "v"}, Next: &receipt{ID: "r2"}}
	same(t, full)
	same(t, receipt{})
	same(t, &full)
	same[*receipt](t, nil)
	same(t, []receipt{full, {}})
	same(t, "")
	same(t, "text \x00\xff")
	same(t, 0)
	same(t, int64(-1)<<63)
	same(t, ^uint64(0))
	same(t, 1.5)
	same(t, true)
	same(t, []byte{0, 255})
	same(t, []byte(nil))
	same(t, map[string]int{"a": 1})
	same(t, [3]int{1, 2, 3})
	same(t, struct{}{})
	same[any](t, nil)
	same[any](t, "text")
}

func TestDoKeepsTime(t *testing.T) {
	at := time.Date(2026, 2, 28, 23, 59, 59, 123456789, time.UTC)
	fresh, replayed := do(t, func(context.Context) (receipt, error) { return receipt{At: at, hidden: 7}, nil })
	if !fresh.At.Equal(at) || !replayed.At.Equal(at) {
		t.Errorf("fresh %v, replayed %v", fresh.At, replayed.At)
	}
	if fresh.hidden != 7 || replayed.hidden != 0 { // only exported fields survive
		t.Errorf("fresh %d, replayed %d", fresh.hidden, replayed.hidden)
	}
}

// Releases with other fields read each other's records.
func TestDoWhenTheTypeEvolves(t *testing.T) {
	type old struct{ ID, Gone string }
	type new struct {
		ID    string
		Added *int
	}
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		e := newDesk(t, f).engine
		if _, _, err := replay.Do(eventless(), e, request(), func(context.Context) (old, error) { return old{"r1", "x"}, nil }); err != nil {
			t.Fatal(err)
		}
		got, _, err := replay.Do(eventless(), e, request(), func(context.Context) (new, error) { return new{}, errDown })
		if err != nil || got != (new{ID: "r1"}) {
			t.Errorf("got %+v, %v", got, err)
		}
		if _, result, err := replay.Do(eventless(), e, request(), func(context.Context) ([]int, error) { return nil, nil }); !errors.Is(err, cache.ErrCorrupt) {
			t.Errorf("a type that has nothing to do with it: %+v, %v", result, err)
		}
	})
}

func TestDoReturnsTheErrorOfTheWork(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		e := newDesk(t, f).engine
		half := func(context.Context) (receipt, error) { return receipt{ID: "half"}, errDown }
		got, result, err := replay.Do(eventless(), e, request(), half)
		if err != errDown || got.ID != "" || result.Attempt != 1 || result.Stored {
			t.Errorf("got %+v, %+v, %v", got, result, err)
		}
		got, result, err = replay.Do(eventless(), e, request(), func(ctx context.Context) (receipt, error) {
			a, _ := replay.AttemptFrom(ctx)
			return receipt{ID: "done", Amount: int64(a.Number)}, nil
		})
		if err != nil || got.ID != "done" || got.Amount != 2 || !result.Stored {
			t.Errorf("got %+v, %+v, %v", got, result, err)
		}
		if got, _, err := replay.Do(eventless(), e, another(), half); !errors.Is(err, replay.ErrReused) || got.ID != "" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// A late finisher has the winner's value, and nothing of its own in it.
func TestDoLateFinisher(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		got, result, err := replay.Do(eventless(), d.engine, request(), func(context.Context) (receipt, error) {
			d.Down()
			time.Sleep(leaseTime + time.Second)
			if _, _, err := replay.Do(eventless(), newDesk(t, f).engine, request(), func(context.Context) (receipt, error) {
				return receipt{ID: "winner"}, nil
			}); err != nil {
				t.Error(err)
			}
			d.Up()
			return receipt{ID: "late", Amount: 1, Lines: []string{"late"}, Meta: map[string]string{"late": "late"}}, nil
		})
		if err != nil || !result.Replayed || !reflect.DeepEqual(got, receipt{ID: "winner"}) {
			t.Errorf("got %+v, %+v, %v", got, result, err)
		}
	})
}

func TestDoReconciled(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, onAbandoned(replay.AskReconcile), func(c *replay.Config) { c.Cache.MaxDecoded = 1 << 10 })
		answered := func(a replay.Answer) (receipt, replay.Result, error) {
			req := reconciled(func(context.Context) (replay.Decision, replay.Answer, error) { return replay.Done, a, nil })
			return replay.Do(eventless(), d.engine, req, func(context.Context) (receipt, error) { return receipt{ID: "ran"}, errDown })
		}
		if _, _, err := answered(replay.Answer{}); err != errDown { // the first
			t.Fatal(err)
		}
		// An answer that is in no record can't be given: a zero value would be taken for it.
		got, result, err := answered(replay.Answer{Value: receipt{ID: "found"}, Verdict: replay.Abandon})
		if !errors.Is(err, replay.ErrReplayUnavailable) || result.Stored || got.ID != "" {
			t.Errorf("not to be kept: %+v, %+v, %v", got, result, err)
		}
		got, result, err = answered(replay.Answer{Value: receipt{ID: "found"}})
		if err != nil || got.ID != "found" || !result.Stored || result.Attempt != 3 {
			t.Errorf("got %+v, %+v, %v", got, result, err)
		}
		got, _, err = answered(replay.Answer{Value: receipt{ID: "no"}})
		if err != nil || got.ID != "found" {
			t.Errorf("replayed %+v, %v", got, err)
		}
	})
}

func TestDoUnstored(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, unguarded, func(c *replay.Config) { c.Cache.MaxDecoded = 1 << 10 })
		long := string(make([]byte, 2<<10))
		got, result, err := replay.Do(eventless(), d.engine, request(), func(context.Context) (string, error) { return long, nil })
		if err != nil || got != long || result.Stored {
			t.Errorf("too large: %d bytes, %+v, %v", len(got), result, err)
		}
		if got, _, err = replay.Do(eventless(), d.engine, request(), func(context.Context) (string, error) { return "no", nil }); !errors.Is(err, replay.ErrReplayUnavailable) || got != "" {
			t.Errorf("got %q, %v", got, err)
		}
		f.Down()
		got, result, err = replay.Do(eventless(), d.engine, request(), func(context.Context) (string, error) { return "unguarded", nil })
		if err != nil || got != "unguarded" || result.Guarded {
			t.Errorf("got %q, %+v, %v", got, result, err)
		}
	})
}
