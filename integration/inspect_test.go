package integration

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// see is what an operator at a machine sees under a key of the account.
func (m *machine) see(t *testing.T, key string, want replay.KeyState) replay.Entry {
	t.Helper()
	e, err := m.engine.Inspect(t.Context(), account, key)
	must(t, err)
	if e.State != want {
		t.Errorf("%s: got %s, want it %s", key, e.State, want)
	}
	return e
}

// An answer is found with all that is known of it, shown if its value is asked for, and forgotten.
func TestAnswerIsInspectedRevealedAndForgotten(t *testing.T) {
	f := newFleet(t, plan{})
	m, operator := f.machines[0], f.machines[1]
	const key = "answered"
	operator.see(t, key, replay.KeyFree)
	first := f.send(t, m, pay(key))
	fresh(t, first)

	e := operator.see(t, key, replay.KeyDone)
	charge := f.ledger.of(key)[0]
	if e.Key != f.redisKey(account, key) || e.Fence != charge.fence || e.Version != 1 || e.Sealed || e.Tombstone || e.Age <= 0 || e.Remembered <= 0 ||
		e.At.UnixMicro() <= e.Fence || !strings.HasPrefix(e.Fingerprint, "1:") || len(e.Owner) != 32 || e.Size < int64(len(first.body)) {
		t.Errorf("%+v", e)
	}
	value, err := operator.engine.Reveal(t.Context(), e)
	must(t, err)
	fields := value.(map[string]any)
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, []string{"body", "header", "status"}) ||
		string(fields["body"].([]byte)) != first.body || fields["header"].(map[string]any)["Location"] == nil {
		t.Errorf("revealed: %v", value)
	}
	must(t, operator.engine.Forget(t.Context(), e))
	if err := operator.engine.Forget(t.Context(), e); !errors.Is(err, replay.ErrChanged) {
		t.Errorf("forgotten twice: %v", err)
	}
	fresh(t, f.send(t, m, pay(key)))
	if n := len(f.ledger.of(key)); n != 2 {
		t.Errorf("it ran %d times", n)
	}
	if _, err := operator.engine.Reveal(t.Context(), e); !errors.Is(err, replay.ErrChanged) {
		t.Errorf("another answer is there now: %v", err)
	}
}

// A claim that is taken away while its work goes on: another runs, the first one's context ends, and
// its late answer gives way.
func TestClaimIsReleasedWhileItsWorkGoesOn(t *testing.T) {
	for act, attempt := range map[string]int{"release": 1, "abandon": 2} {
		t.Run(act, func(t *testing.T) {
			f := newFleet(t, plan{replay: replay.Config{Lock: lock.Config{Renew: 300 * time.Millisecond}}})
			const key = "stuck"
			told, goOn := make(chan error, 1), make(chan struct{})
			g, hung := f.hold(t, f.machines[0], pay(key), func(r *http.Request) {
				<-r.Context().Done()
				told <- context.Cause(r.Context())
				<-goOn
			})
			operator := f.machines[1]
			e := operator.see(t, key, replay.KeyClaimed)
			if e.Attempt != 1 || e.Left <= 0 || e.Remembered <= e.Left {
				t.Errorf("%+v", e)
			}
			do := operator.engine.Release
			if act == "abandon" {
				do = operator.engine.Abandon
			}
			must(t, do(t.Context(), e))
			if err := <-told; !errors.Is(err, lock.ErrLost) {
				t.Errorf("the work ends with %v", err)
			}
			g.open()
			second := f.send(t, f.machines[2], pay(key))
			fresh(t, second)
			close(goOn)
			replays(t, second, <-hung)
			if charges := f.ledger.of(key); len(charges) != 2 || charges[1].attempt != attempt || charges[1].fence <= charges[0].fence {
				t.Errorf("%+v", charges)
			}
			if err := do(t.Context(), e); !errors.Is(err, replay.ErrChanged) {
				t.Errorf("%s of what is done: %v", act, err)
			}
			replays(t, second, f.send(t, f.machines[0], pay(key)))
		})
	}
}

// Whatever somebody has put under a key is seen for what it is, and forgotten if it is a string.
func TestForeignValueIsInspectedAndForgotten(t *testing.T) {
	f := newFleet(t, plan{})
	operator := f.machines[0]
	for what, plant := range foreigners {
		t.Run(what, func(t *testing.T) {
			key := "foreign-" + strings.ReplaceAll(what, " ", "-")
			plant(t, f, f.redisKey(account, key))
			state := replay.KeyForeign
			if what == "a record of another key" {
				state = replay.KeyDone // by its first bytes
			}
			e := operator.see(t, key, state)
			if state == replay.KeyForeign && e.Fault == "" || strings.Contains(e.Fault, "hello") {
				t.Errorf("%+v", e)
			}
			_, err := operator.engine.Reveal(t.Context(), e)
			if state == replay.KeyDone && !errors.Is(err, replay.ErrUnreadable) || state == replay.KeyForeign && !errors.Is(err, replay.ErrUnfit) {
				t.Errorf("revealed: %v", err)
			}
			err = operator.engine.Forget(t.Context(), e)
			if what == "a list" || what == "a hash" {
				if !errors.Is(err, replay.ErrUnfit) {
					t.Errorf("forgotten: %v", err)
				}
				return
			}
			must(t, err)
			operator.see(t, key, replay.KeyFree)
			fresh(t, f.send(t, operator, pay(key)))
		})
	}
}

// Sealed records are seen and forgotten without keys, and revealed only with them.
func TestSealedRecordIsInspected(t *testing.T) {
	seal := [][]byte{[]byte("0123456789abcdef")}
	f := newFleet(t, plan{each: func(i int, c *replay.Config) {
		switch i {
		case 0:
			c.Cache.SealKeys = seal
		case 2:
			c.Cache.SealKeys = [][]byte{[]byte("another key, 16b")}
		}
	}})
	const key = "sealed"
	fresh(t, f.send(t, f.machines[0], pay(key)))
	for i, want := range []error{nil, replay.ErrSealed, replay.ErrUnreadable} {
		e := f.machines[i].see(t, key, replay.KeyDone)
		value, err := f.machines[i].engine.Reveal(t.Context(), e)
		if !e.Sealed || !errors.Is(err, want) || (value == nil) != (want != nil) {
			t.Errorf("machine %d: %v, %v, of %+v", i, value, err, e)
		}
		if want == replay.ErrUnreadable && !errors.Is(err, cache.ErrCorrupt) {
			t.Errorf("no reason: %v", err)
		}
	}
	must(t, f.machines[1].engine.Forget(t.Context(), f.machines[1].see(t, key, replay.KeyDone)))
	f.machines[0].see(t, key, replay.KeyFree)
}
