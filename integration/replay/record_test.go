package replay_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// What has been done and can't be kept must not be done again.
func TestAnswerNotKept(t *testing.T) {
	small := func(c *replay.Config) { c.Cache.MaxDecoded = 1 << 10 }
	for _, tc := range []struct {
		name   string
		answer replay.Answer
		err    bool
	}{
		{"by its verdict", replay.Answer{Value: "done", Verdict: replay.Tombstone}, false},
		{"for its size", replay.Answer{Value: strings.Repeat("long ", 1000)}, false},
		{"for it can't be encoded", replay.Answer{Value: make(chan int)}, true},
		{"for it can't be decoded again", replay.Answer{Value: struct{ Meta any }{map[int]string{1: "a"}}}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				d := newDesk(t, f, small)
				r := d.ask(bg, request(), func(context.Context) (replay.Answer, error) { return tc.answer, nil })
				if !r.ran || (r.err != nil) != tc.err || r.Replayed || r.Stored || !r.Guarded || r.Attempt != 1 || r.event.Outcome != replay.Stored {
					t.Errorf("the first: %+v", r)
				}
				if value, _ := tc.answer.Value.(string); r.value != value {
					t.Errorf("the first has %q", r.value)
				}
				d.WantTrips("begin", "commit")
				if ttl := f.Redis.TTL(f.OnlyKey()); ttl != day {
					t.Errorf("it is known for %v, want %v", ttl, day)
				}
				for range 2 {
					d.ask(bg, request(), says("no")).wasRefused(t, replay.ErrReplayUnavailable, replay.ReplayUnavailable)
				}
				d.ask(bg, another(), says("no")).wasRefused(t, replay.ErrReused, replay.Reused)
			})
		})
	}
}

// A request's bounds hold both ways: a larger answer is not kept, and a record of one is not read.
func TestRequestBounds(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		bounded := request()
		bounded.Bounds = cache.Bounds{Bytes: 100}
		long := strings.Repeat("long ", 100)
		d.ask(bg, bounded, says("short")).wasRun(t, "short", 1)
		d.ask(bg, bounded, says("no")).wasReplayed(t, "short")
		f.Redis.FlushAll()
		if r := d.ask(bg, bounded, says(long)); !r.ran || r.err != nil || r.value != long || r.Stored {
			t.Errorf("the first: %+v", r)
		}
		d.ask(bg, bounded, says("no")).wasRefused(t, replay.ErrReplayUnavailable, replay.ReplayUnavailable)
		f.Redis.FlushAll()
		d.ask(bg, request(), says(long)).wasRun(t, long, 1)
		result, err := d.engine.Do(context.WithValue(bg, eventsKey{}, new([]replay.Event)), bounded, says("no"))
		if err != nil || !result.Replayed {
			t.Fatalf("got %+v, %v", result, err)
		}
		var value string
		if err := result.Decode(&value); !errors.Is(err, cache.ErrTooLarge) || !errors.Is(err, cache.ErrCorrupt) || value != "" {
			t.Errorf("read %q, %v", value, err)
		}
	})
}

// What is longer than any record is none, and is not fetched to find that out.
func TestValueThatIsTooLongToBeARecord(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, func(c *replay.Config) { c.Cache.MaxDecoded = 64 << 10 })
		d.ask(bg, request(), says("done")).wasRun(t, "done", 1)
		key := f.OnlyKey()
		for _, size := range []int{64<<10 + 430, 4 << 20} {
			if err := f.Redis.Set(key, strings.Repeat("R", size)); err != nil {
				t.Fatal(err)
			}
			d.Trips()
			r := d.ask(bg, request(), says("no"))
			r.wasRefused(t, cache.ErrCorrupt, replay.Unreadable)
			r.is(t, lock.ErrCorrupt, cache.ErrTooLarge)
			d.WantTrips("begin")
		}
		// The longest that may be one is fetched, and is none.
		if err := f.Redis.Set(key, strings.Repeat("R", 64<<10+429)); err != nil {
			t.Fatal(err)
		}
		r := d.ask(bg, request(), says("no"))
		r.wasRefused(t, cache.ErrCorrupt, replay.Unreadable)
		d.WantTrips("begin", "GET")
	})
}

// An answer that can't be stored for so long is the work's mistake, and nothing is forgotten.
func TestRetentionThatCanNotBe(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		r := d.ask(bg, request(), func(context.Context) (replay.Answer, error) {
			return replay.Answer{Value: "done", Retention: -1}, nil
		})
		if !r.ran || r.err == nil || r.Stored || r.event.Outcome != replay.Failed {
			t.Errorf("got %+v", r)
		}
		d.ask(bg, request(), says("done")).wasRun(t, "done", 2)
	})
}

// A value that reprise did not write is named, left as it is, and nothing is run on the strength of it.
func TestForeignValue(t *testing.T) {
	record := func(t *testing.T, f *bubble.Fleet) string {
		newDesk(t, f).ask(bg, request(), says("done"))
		return f.OnlyValue()
	}
	for name, value := range map[string]func(good string) string{
		"gibberish":          func(string) string { return "gibberish" },
		"nothing":            func(string) string { return "" },
		"a claim's letter":   func(string) string { return "L" },
		"half a claim":       func(string) string { return "L1 1 17000000000 86400000" },
		"a claim of letters": func(string) string { return "L1 one two three four five" },
		"another claim":      func(string) string { return "L2 1 17000000000 86400000 - 00112233445566778899aabbccddeeff" },
		"a record's letter":  func(string) string { return "R" },
		"another record":     func(good string) string { return "R\x02" + good[2:] },
		"half a record":      func(good string) string { return good[:len(good)/2] },
		"a damaged record":   func(good string) string { return good[:len(good)-6] + "x" + good[len(good)-5:] },
		"a long one":         func(string) string { return strings.Repeat("x", 100<<10) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				put := value(record(t, f))
				key := f.OnlyKey()
				if err := f.Redis.Set(key, put); err != nil {
					t.Fatal(err)
				}
				for _, option := range []func(*replay.Config){
					func(*replay.Config) {}, unguarded, onAbandoned(replay.RefuseUnknown), waiting(1e9),
				} {
					d := newDesk(t, f, option)
					r := d.ask(bg, request(), says("no"))
					r.wasRefused(t, cache.ErrCorrupt, replay.Unreadable)
					if r.err == nil || !strings.Contains(r.err.Error(), key) || !strings.Contains(d.log.String(), key) {
						t.Errorf("%v does not name the key, or %q doesn't", r.err, d.log)
					}
					d.ask(bg, another(), says("no")).wasRefused(t, cache.ErrCorrupt, replay.Unreadable)
				}
				if got := f.OnlyValue(); got != put {
					t.Errorf("the value has become %q", got)
				}
			})
		})
	}
}

func TestForeignType(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, unguarded)
		d.ask(bg, request(), says("done"))
		key := f.OnlyKey()
		f.Redis.Del(key)
		if _, err := f.Redis.Push(key, "a list"); err != nil {
			t.Fatal(err)
		}
		r := d.ask(bg, request(), says("no"))
		r.wasRefused(t, cache.ErrCorrupt, replay.Unreadable)
		if list, err := f.Redis.List(key); err != nil || len(list) != 1 {
			t.Errorf("the list has become %q, %v", list, err)
		}
	})
}

// A foreign value that comes while the work runs: the work's answer is not stored over it.
func TestForeignValueAtCommit(t *testing.T) {
	for name, w := range map[string]work{"with an answer": says("done"), "with an error": fails(errDown)} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				d := newDesk(t, f)
				r := d.ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
					if err := f.Redis.Set(f.OnlyKey(), "mine"); err != nil {
						t.Error(err)
					}
					return w(ctx)
				})
				r.is(t, cache.ErrCorrupt)
				if r.event.Outcome != replay.LostLease || r.Stored || r.Replayed || f.OnlyValue() != "mine" {
					t.Errorf("got %+v, and %q under the key", r, f.OnlyValue())
				}
			})
		})
	}
}

func TestSealedRecordsAreReplayed(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		sealed := func(c *replay.Config) { c.Cache.SealKeys = [][]byte{[]byte("0123456789abcdef")} }
		d := newDesk(t, f, sealed)
		d.ask(bg, request(), says("for your eyes only"))
		if strings.Contains(f.OnlyValue(), "eyes") {
			t.Error("the record is not sealed")
		}
		d.ask(bg, request(), says("no")).wasReplayed(t, "for your eyes only")
		newDesk(t, f).ask(bg, request(), says("no")).wasRefused(t, cache.ErrCorrupt, replay.Unreadable)
	})
}

func TestBadFingerprint(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		for _, fingerprint := range []string{"with a space", "-", strings.Repeat("x", 129), "é"} {
			req := request()
			req.Fingerprint = fingerprint
			r := d.ask(bg, req, says("no"))
			if e, ok := errors.AsType[*lock.KeyError](r.err); !ok || e.Field != "fingerprint" || r.ran {
				t.Errorf("%q: got %+v", fingerprint, r)
			}
		}
		d.WantTrips()
	})
}
