package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// A ledger is the effect of all work: a server outside Redis and outside the machines. Like a
// database that knows of fences, it turns away a run whose fence is lower than one that it has seen
// under the key. A run without a claim has none.
type ledger struct {
	server *httptest.Server

	mu    sync.Mutex
	runs  []*run
	byKey map[string][]*run
	stops []stop
}

// A run is one entry, made in the middle of the work.
type run struct {
	Key     string // with its mode
	Machine string
	Attempt int
	Fence   int64

	// By the clock of the host, which all processes share: when the work began, and when its context
	// was last seen live. A run that was cut off has never told more than its beginning.
	Start, Live time.Time

	ended  bool
	stale  bool // turned away for its fence: no effect
	number int
}

func newLedger(t *testing.T) *ledger {
	l := &ledger{byKey: map[string][]*run{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /begin", answering(l.begin))
	mux.HandleFunc("POST /end", answering(l.end))
	l.server = httptest.NewServer(mux)
	t.Cleanup(l.server.Close)
	return l
}

func (l *ledger) begin(r run) (receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, earlier := range l.byKey[r.Key] {
		r.stale = r.stale || r.Fence > 0 && earlier.Fence > r.Fence
	}
	r.Live = r.Start
	l.runs = append(l.runs, &r)
	r.number = len(l.runs)
	l.byKey[r.Key] = append(l.byKey[r.Key], &r)
	return receipt{r.number, !r.stale}, nil
}

func (l *ledger) end(e ending) (receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Number < 1 || e.Number > len(l.runs) {
		return receipt{}, fmt.Errorf("no run %d", e.Number)
	}
	r := l.runs[e.Number-1]
	r.Live, r.ended = e.Live, true
	return receipt{e.Number, !r.stale}, nil
}

// of returns what was entered under a key, in the order of the entries.
func (l *ledger) of(key string) []run {
	l.mu.Lock()
	defer l.mu.Unlock()
	var runs []run
	for _, r := range l.byKey[key] {
		seen := *r
		for _, s := range l.stops {
			if s.machine != seen.Machine || seen.Live.Before(s.from) || seen.Start.After(s.to) {
				continue
			}
			if seen.Live = s.from; seen.Start.After(s.from) {
				seen.Live = seen.Start
			}
		}
		runs = append(runs, seen)
	}
	return runs
}

// stopped notes that a machine's process was stopped and woken. What it believed of its leases right
// after that, before its timers had rung, counts for nothing: that is what fences are for.
func (l *ledger) stopped(machine string, from, to time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stops = append(l.stops, stop{machine, from, to.Add(timersRing)})
}

type stop struct {
	machine  string
	from, to time.Time
}

const timersRing = 100 * time.Millisecond

// What the machines send, and get back.
type (
	ending struct {
		Number int
		Live   time.Time
	}
	receipt struct {
		Number int
		Done   bool // the effect has taken place
	}
)

func answering[T any](do func(T) (receipt, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in T
		err := json.NewDecoder(r.Body).Decode(&in)
		var out receipt
		if err == nil {
			out, err = do(in)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(out)
	}
}

var toLedger = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}

// enter writes into a ledger from a machine.
func enter(ctx context.Context, url string, v any) (receipt, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return receipt{}, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return receipt{}, err
	}
	answer, err := toLedger.Do(q)
	if err != nil {
		return receipt{}, err
	}
	defer answer.Body.Close()
	var out receipt
	if answer.StatusCode != http.StatusOK {
		return out, fmt.Errorf("ledger: %s", answer.Status)
	}
	return out, json.NewDecoder(answer.Body).Decode(&out)
}
