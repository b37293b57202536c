package httpclient_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/reprise-go/reprise/httpclient"
	"github.com/reprise-go/reprise/integration/bubble"
)

var (
	seed  = flag.Uint64("seed", 0, "the chance of TestCallsUnderFaults; 0: another one each time")
	calls = flag.Int("calls", 10_000, "how many calls it makes")
)

// Ten thousand calls through a network that fails every fourth time, up to three of them under one key at a time. The
// faults of an arrival are a function of the seed, the call and the arrival, so that a seed brings them back whatever
// the goroutines do.
func TestCallsUnderFaults(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	cryptotest.SetGlobalRandom(t, *seed) // the jitter, and whatever the adapter draws
	defer func() {
		if t.Failed() {
			t.Logf("again with -args -seed %d", *seed)
		}
	}()
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, 3)
		s.fault = func(r *http.Request, arrival int) fault {
			dice := chance(r.Header.Get("Idempotency-Key"), r.Header.Get("X-Caller"), strconv.Itoa(arrival))
			if dice.IntN(4) > 0 {
				return none
			}
			return 1 + fault(dice.IntN(int(manyFaults)-1))
		}
		var mu sync.Mutex
		var c count
		var workers sync.WaitGroup
		keys := make(chan string)
		for range 16 {
			workers.Go(func() {
				for key := range keys {
					d := s.operation(t, key)
					mu.Lock()
					c.add(d)
					mu.Unlock()
				}
			})
		}
		for made, i := 0, 0; made < *calls; i++ {
			key := "operation-" + strconv.Itoa(i)
			keys <- key
			made += callers(key)
		}
		close(keys)
		workers.Wait()
		c.check(t, s)
	})
}

func chance(parts ...string) *rand.Rand {
	h := *seed
	for _, p := range parts { // FNV-1a, 64 bits
		for _, b := range []byte(p + "\x00") {
			h = (h ^ uint64(b)) * 0x100000001b3
		}
	}
	return rand.New(rand.NewPCG(h, *seed))
}

func callers(key string) int { return 1 + chance(key).IntN(3) }

// A count is what clients were told, in all.
type count struct{ calls, tries, answers, replays, open, unknown, clean int }

func (c *count) add(d count) {
	c.calls += d.calls
	c.answers += d.answers
	c.replays += d.replays
	c.open += d.open
	c.unknown += d.unknown
	c.clean += d.clean
	c.tries += d.tries
}

// operation has all callers of a key call at once, and holds what each is told against what was done.
func (s *site) operation(t *testing.T, key string) (c count) {
	n := callers(key)
	told := make([]told, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { told[i] = s.call(t, key, strconv.Itoa(i)) })
	}
	wg.Wait()
	time.Sleep(time.Minute) // whatever still runs has ended
	did := s.did(key)
	if len(did) > 1 {
		t.Errorf("%s: %d effects", key, len(did))
	}
	answered := 0
	for i, got := range told {
		c.calls++
		c.tries += got.reply.Tries
		switch {
		case got.status == http.StatusCreated:
			c.answers++
			if got.reply.Replayed {
				c.replays++
			} else {
				answered++
			}
			if len(did) == 0 || got.body != did[0] {
				t.Errorf("%s, caller %d: got %q, want the effect's %q", key, i, got.body, did)
			}
			if got.reply.OutcomeUnknown || got.reply.Err != nil {
				t.Errorf("%s, caller %d: answered, and told %+v", key, i, got.reply)
			}
		case got.reply.OutcomeUnknown && got.status != 0: // the last try ended on a status that leaves it open
			c.open++
		case got.unknown:
			c.unknown++
		default: // told that nothing was done, for this caller
			c.clean++
			if n == 1 && len(did) > 0 {
				t.Errorf("%s: told %+v, %v, but it was done", key, got.reply, got.err)
			}
		}
	}
	if answered > 1 {
		t.Errorf("%s: %d callers have a fresh answer", key, answered)
	}
	return c
}

type told struct {
	status  int
	body    string
	reply   httpclient.Reply
	unknown bool
	err     error
}

func (s *site) call(t *testing.T, key, caller string) (got told) {
	dice := chance(key, caller)
	tr := &httpclient.Transport{
		Base:       flaky{s.base, dice},
		TryTimeout: 5 * time.Second,
		MaxTries:   1 + dice.IntN(9),
	}
	r := order(httpclient.WithKey(t.Context(), key), "order of "+key)
	r.Header.Set("X-Caller", caller)
	if dice.IntN(20) == 0 {
		r.Header.Set("X-Slow", fmt.Sprint(dice.IntN(20), "s"))
	}
	if dice.IntN(5) == 0 {
		r.GetBody = nil // so that the Transport keeps it
	}
	resp, err := (&http.Client{Transport: tr}).Do(r)
	if err != nil {
		e, ok := errors.AsType[*httpclient.CallError](err)
		if !ok || e.Key != key || e.Tries < 1 {
			t.Errorf("%s, caller %s: got %v, want a *CallError", key, caller, err)
			return told{err: err}
		}
		return told{err: err, unknown: errors.Is(err, httpclient.ErrOutcomeUnknown), reply: httpclient.Reply{Tries: e.Tries}}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%s, caller %s: half an answer: %v", key, caller, err)
	}
	return told{status: resp.StatusCode, body: string(body), reply: httpclient.ReplyOf(resp)}
}

// flaky can't reach the server every tenth time.
type flaky struct {
	base http.RoundTripper
	dice *rand.Rand
}

func (f flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.dice.IntN(10) == 0 {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return f.base.RoundTrip(r)
}

func (c *count) check(t *testing.T, s *site) {
	effects := 0
	for _, did := range s.effects {
		effects += len(did)
	}
	arrivals := 0
	for _, n := range s.arrivals {
		arrivals += n
	}
	t.Logf("%d calls, %d tries, %d arrivals, %d effects under %d keys; %d answers, %d of them replayed, %d open, %d unknown, %d not done",
		c.calls, c.tries, arrivals, effects, len(s.effects), c.answers, c.replays, c.open, c.unknown, c.clean)
	if effects != len(s.effects) {
		t.Errorf("%d effects under %d keys", effects, len(s.effects))
	}
	if c.calls != c.answers+c.open+c.unknown+c.clean {
		t.Error("the numbers don't add up")
	}
	// Were the faults too few, or the calls all given up, this would prove nothing.
	for what, n := range map[string]int{"answers": c.answers, "replays": c.replays, "unknown": c.unknown, "open": c.open, "not done": c.clean} {
		if n < c.calls/1000 || n == 0 {
			t.Errorf("only %d %s", n, what)
		}
	}
}
