package httpadapter_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

func TestFirstIsFreshAndRetriesAreReplayed(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		h := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/orders/1")
			w.Header().Add("X-Two", "a")
			w.Header().Add("X-Two", "b")
			writes(201, "created")(w, r)
		}
		a, b := newSite(t, f, h), newSite(t, f, h)
		fresh := a.post("order")
		fresh.isFresh(t, 201, "created")
		for _, s := range []*site{a, b, b} {
			s.Trips()
			s.post("order").replays(t, fresh)
			if got := s.Trips(); len(got) != 1 {
				t.Errorf("a replay takes %q", got)
			}
		}
		a.ran(1)
		b.ran(0)
		a.log.CheckRedis(f)
	})
}

// Each part of a request that the fingerprint covers tells requests apart, in flight and done.
func TestMismatch(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		held := newHold()
		s := newSite(t, f, held.then(writes(201, "created")))
		first := s.start(bg, "order")
		<-held.begun
		mismatches := func() {
			t.Helper()
			s.post("another").isProblem(t, 422, "reused", "")
			s.post("").isProblem(t, 422, "reused", "")
			s.post("order", method("PATCH")).isProblem(t, 422, "reused", "")
			s.post("order", header("Content-Type", "text/plain")).isProblem(t, 422, "reused", "")
			s.post("order", func(r *http.Request) { r.URL.Path = "/others" }).isProblem(t, 422, "reused", "")
			s.post("order", func(r *http.Request) { r.URL.RawQuery = "a=1" }).isProblem(t, 422, "reused", "")
		}
		same := []func(*http.Request){
			func(r *http.Request) { r.URL.RawQuery = "a=1&b=2" },
			header("Content-Type", "Application/JSON; charset=utf-8"),
			func(r *http.Request) { r.ContentLength = -1 },
			header("User-Agent", "other"),
			func(r *http.Request) { r.Host = "other" },
		}
		mismatches()
		for _, edit := range same {
			s.post("order", edit).isProblem(t, 409, "in-progress", "1")
		}
		close(held.gate)
		fresh := first()
		mismatches()
		for _, edit := range same {
			s.post("order", edit).replays(t, fresh)
		}
		s.ran(1)
	})
}

// Retry-After is the least of the hint and what is left of the lease, from 1 to 30 whole seconds.
func TestRetryAfter(t *testing.T) {
	for _, tc := range []struct {
		hint time.Duration
		into time.Duration // the first lease of 15 s, of a holder that has crashed
		want string
	}{
		{0, 0, "1"},
		{0, 14900 * time.Millisecond, "1"},
		{1500 * time.Millisecond, 0, "2"},
		{10 * time.Second, 0, "10"},
		{10 * time.Second, 6500 * time.Millisecond, "9"},
		{10 * time.Second, 14900 * time.Millisecond, "1"},
		{30 * time.Second, 0, "15"},
	} {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			hint := setup{http: func(c *httpadapter.Config) { c.RetryAfter = tc.hint }}
			crashedSite(t, f)
			time.Sleep(tc.into)
			s := newSite(t, f, writes(201, "no"), hint)
			s.post("order").isProblem(t, 409, "in-progress", tc.want)
			s.ran(0)
		})
	}
}

// crashedSite leaves nothing of a request but its claim.
func crashedSite(t *testing.T, f *bubble.Fleet, setups ...setup) {
	t.Helper()
	held := newHold()
	s := newSite(t, f, held.then(writes(201, "never told")), setups...)
	first := s.start(bg, "order")
	<-held.begun
	s.Down()
	t.Cleanup(func() {
		close(held.gate)
		first()
	})
}

func TestWaitOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		held := newHold()
		wait := setup{replay: waiting(10 * time.Second)}
		s := newSite(t, f, held.then(writes(201, "created")), wait)
		first := s.start(bg, "order")
		<-held.begun
		s.post("order").isProblem(t, 409, "in-progress", "1") // after 10 s
		second := newSite(t, f, writes(201, "no"), wait).start(bg, "order")
		time.Sleep(5 * time.Second)
		close(held.gate)
		second().replays(t, first())
	})
}

func TestCrashOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		crashedSite(t, f)
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			if a, ok := replay.AttemptFrom(r.Context()); !ok || a.Number != 2 || a.Fence == 0 || a.State() != 0 {
				t.Errorf("the attempt is %+v, %v", a, ok)
			}
			writes(201, "created")(w, r)
		})
		s.post("order").isProblem(t, 409, "in-progress", "1")
		time.Sleep(leaseTime)
		fresh := s.post("order")
		fresh.isFresh(t, 201, "created")
		s.post("order").replays(t, fresh)
	})
}

func TestOutcomeUnknownOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		crashedSite(t, f)
		time.Sleep(leaseTime)
		s := newSite(t, f, writes(201, "no"), setup{replay: onAbandoned(replay.RefuseUnknown)})
		s.post("order").isProblem(t, 409, "outcome-unknown", "")
		s.post("another").isProblem(t, 422, "reused", "")
		s.ran(0)
	})
}

func TestUnreadableOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(201, "created"))
		s.post("order")
		k, good := f.OnlyKey(), f.OnlyValue()
		f.Redis.Set(k, "gibberish")
		s.post("order").isProblem(t, 500, "unreadable", "")

		// A record that is whole, but of something that is no HTTP answer.
		codec, err := cache.NewCodec(cache.Config{})
		if err != nil {
			t.Fatal(err)
		}
		record, err := codec.Open(k, good)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []any{"text", 7, map[string]any{"status": 99}, map[string]any{"status": 1000}, map[string]any{"status": "200"}, nil} {
			value, err := codec.Encode(k, record.Header, text)
			if err != nil {
				t.Fatal(err)
			}
			f.Redis.Set(k, string(value))
			s.post("order").isProblem(t, 500, "unreadable", "")
		}
		if !strings.Contains(s.log.String(), "not an HTTP answer") {
			t.Errorf("logged:\n%s", s.log)
		}
		s.ran(1)
		if !strings.Contains(s.log.String(), k) {
			t.Errorf("the log does not name the key:\n%s", s.log)
		}
	})
}

func TestUnavailableOverHTTP(t *testing.T) {
	for _, outage := range bubble.Outages {
		t.Run(outage.Name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, writes(201, "no"), setup{http: func(c *httpadapter.Config) { c.RetryAfter = 7 * time.Second }})
				open := newSite(t, f, writes(201, "open"), setup{http: func(c *httpadapter.Config) { c.OnStoreDown = replay.RunUnguarded }})
				outage.Begin(f)
				s.post("order").isProblem(t, 503, "unavailable", "7")
				s.ran(0)
				open.post("order").isUnstored(t, 201, "open")
				open.post("order").isUnstored(t, 201, "open")
				open.ran(2)
				s.post("order", withoutKey).isFresh(t, 201, "no") // without a key nothing is asked of Redis
				outage.End(f)
			})
		})
	}
}

// What would not have been stored anyway isn't marked.
func TestUnguardedAnswerThatIsNotToBeStored(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(429, "slow down"), setup{replay: unguarded})
		f.Down()
		s.post("order").isFresh(t, 429, "slow down")
	})
}

func TestCommitDownOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		down := func(w http.ResponseWriter, r *http.Request) {
			f.Down()
			writes(201, "created")(w, r)
		}
		s := newSite(t, f, down)
		s.post("order").isUnstored(t, 201, "created")
		f.Up()
		withheld := newSite(t, f, down, setup{replay: withhold})
		withheld.post("order", key("2")).isProblem(t, 503, "unavailable", "1")
		f.Up()
		time.Sleep(leaseTime)
		s = newSite(t, f, writes(201, "again"))
		fresh := s.post("order")
		fresh.isFresh(t, 201, "again")
		s.post("order").replays(t, fresh)
	})
}

// Over HTTP, the client has its answer long before any WriteTimeout, and is told.
func TestStoreThatSaysNo(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		say := f.RefuseSet()
		s := newSite(t, f, writes(201, "paid"))
		s.On("begin", bubble.Meanwhile(func() { say(bubble.OOM) }))
		a := s.post("order")
		a.isUnstored(t, 201, "paid")
		if a.took > leaseTime+2*time.Second {
			t.Errorf("took %v", a.took)
		}
	})
}
