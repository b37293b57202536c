package board_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cmd/reprise/internal/board"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A fake is an engine whose Redis is whatever a test says.
type fake struct {
	*replay.Engine
	nodes   func() ([]lock.Node, error)
	entries func() ([]replay.Entry, error)
	looks   atomic.Int64
}

func (f *fake) Nodes(context.Context) ([]lock.Node, error) { f.looks.Add(1); return f.nodes() }

func (f *fake) Scan(_ context.Context, scan replay.Scan) iter.Seq2[replay.Entry, error] {
	return func(yield func(replay.Entry, error) bool) {
		all, err := f.entries()
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(replay.Entry{}, err)
		}
	}
}

// stream reads the figures that are sent until one has all the words.
func (w *world) stream(words ...string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/events", nil)
	if err != nil {
		w.Fatal(err)
	}
	resp, err := w.client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		w.Fatalf("of type %q", kind)
	}
	event := ""
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if event += lines.Text() + "\n"; lines.Text() != "" {
			continue
		}
		missing := false
		for _, word := range words {
			missing = missing || !strings.Contains(event, word)
		}
		if !missing {
			return
		}
		event = ""
	}
	w.Errorf("no figures with %q", words)
}

// The end of the board is the end of its streams.
func TestCloseEndsStreams(t *testing.T) {
	w := newWorld(t)
	resp, err := w.client.Get(w.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	w.close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
}

// A walk that takes long is told of, and what it shows is looked at again meanwhile.
func TestLongWalk(t *testing.T) {
	w := newWorld(t)
	digest := w.leave("k")
	e, err := w.engine.InspectDigest(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	e.Node = "one:1"
	f := &slowFake{fake: fake{Engine: w.engine, nodes: func() ([]lock.Node, error) { return []lock.Node{{Addr: "one:1"}}, nil }}, seen: e}
	w.serve(f)
	w.stream("40 % of 1,000,000 keys walked", "1 abandoned", `id="a-`+digest)
	if err := w.engine.Release(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	w.stream("40 % of 1,000,000 keys walked", "Nothing is abandoned")
}

// A slowFake never comes to the end of its keys.
type slowFake struct {
	fake
	seen replay.Entry
}

func (f *slowFake) Scan(ctx context.Context, scan replay.Scan) iter.Seq2[replay.Entry, error] {
	return func(yield func(replay.Entry, error) bool) {
		yield(f.seen, nil)
		for again := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; {
			scan.Progress(lock.Progress{Node: "one:1", Seen: 400_000, Walked: 400_000, Total: 1_000_000})
			select {
			case <-again.C:
			case <-ctx.Done():
			}
		}
	}
}

func entry(node, digit string, state replay.KeyState) replay.Entry {
	digest := strings.Repeat(digit, 64)
	return replay.Entry{Key: "reprise:" + digest, Digest: digest, Node: node, State: state, Attempt: 1, Size: 1}
}

// A node that is down is told of; what was known of it stays, and it comes back by itself.
func TestNodeDown(t *testing.T) {
	w := newWorld(t)
	var down atomic.Bool
	lost := errors.New("connection refused")
	f := &fake{Engine: w.engine}
	f.nodes = func() ([]lock.Node, error) {
		nodes := []lock.Node{{Addr: "one:1", Keys: 1, UsedMemory: 95, MaxMemory: 100}, {Addr: "two:2", Keys: 1}}
		if down.Load() {
			nodes[1] = lock.Node{Addr: "two:2", Err: &lock.NodeError{Addr: "two:2", Err: lost}}
		}
		return nodes, nil
	}
	f.entries = func() ([]replay.Entry, error) {
		all := []replay.Entry{entry("one:1", "a", replay.KeyClaimed)}
		if down.Load() {
			return all, &lock.NodeError{Addr: "two:2", Err: lost}
		}
		return append(all, entry("two:2", "b", replay.KeyClaimed)), nil
	}
	w.serve(f)
	w.stream("2 in flight") // a page doesn't wait for long
	w.ask("/", nil).wants(t, http.StatusOK, "2 in flight", "nearly full", "bbbbbbbbbbbb…")
	down.Store(true)
	w.stream("2 in flight", "two:2 can&#39;t be asked", "connection refused", `id="c-`+strings.Repeat("b", 64)+`" class="stale"`)
	w.ask("/", nil).wants(t, http.StatusOK, "two:2 can&#39;t be asked")
	down.Store(false)
	w.stream("2 in flight", `id="c-`+strings.Repeat("b", 64)+`">`)
}

// Without any node, the page says so, and shows the last figures with their age.
func TestRedisDown(t *testing.T) {
	w := newWorld(t)
	f := &fake{Engine: w.engine}
	var down atomic.Bool
	walks := make(chan struct{}, 1000)
	walked := sync.OnceFunc(func() { <-walks; <-walks }) // when the second begins, the first has failed
	f.nodes = func() ([]lock.Node, error) {
		if down.Load() {
			walked()
			return nil, replay.ErrUnavailable
		}
		return []lock.Node{{Addr: "one:1"}}, nil
	}
	f.entries = func() ([]replay.Entry, error) {
		if down.Load() {
			walks <- struct{}{}
			return nil, replay.ErrUnavailable
		}
		return []replay.Entry{entry("one:1", "a", replay.KeyAbandoned)}, nil
	}
	down.Store(true)
	w.serve(f, func(c *board.Config) { c.Reason = func(error) string { return "no answer within 1s" } })
	w.stream("Redis can&#39;t be asked") // a page doesn't wait for long
	w.ask("/", nil).wants(t, http.StatusOK, "Redis can&#39;t be asked: no answer within 1s", "There are no figures yet")
	down.Store(false)
	w.stream("1 abandoned", "aaaaaaaaaaaa…")
	down.Store(true)
	w.stream("Redis can&#39;t be asked", "The figures below are", "aaaaaaaaaaaa…")
}

// A claim appears with those who watch; nobody watches, and nothing is asked.
func TestLive(t *testing.T) {
	w := newWorld(t)
	w.stream("Nothing is abandoned")
	digest := w.leave("k")
	w.stream("1 abandoned", digest)
}

// Claims under keys that are no engine's are each one, though none has a digest.
func TestKeysWithoutDigest(t *testing.T) {
	w := newWorld(t)
	var walks atomic.Int64
	f := &fake{Engine: w.engine, nodes: func() ([]lock.Node, error) { return []lock.Node{{Addr: "one:1"}}, nil }}
	f.entries = func() ([]replay.Entry, error) {
		walk := time.Duration(walks.Add(1))
		return []replay.Entry{
			{Key: "reprise:job-1\x00", Node: "one:1", State: replay.KeyClaimed, Left: walk * time.Second}, // is renewed
			{Key: "reprise:job-1\ufffd", Node: "one:1", State: replay.KeyClaimed, Left: time.Hour},
			{Key: "reprise:job-1", Node: "one:1", State: replay.KeyForeign}, {Key: "reprise:job-2", Node: "one:1", State: replay.KeyForeign},
		}, nil
	}
	w.serve(f)
	w.stream("2 in flight", "1 just renewed")
	ids := map[string]bool{}
	for _, id := range regexp.MustCompile(`<tr id="[cf]-[^"]+"`).FindAllString(w.ask("/", nil).body, -1) {
		ids[id] = true
	}
	if len(ids) != 4 {
		t.Errorf("rows %v, want 4", ids)
	}
}
