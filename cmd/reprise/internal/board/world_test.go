package board_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/cmd/reprise/internal/board"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A world is a Redis, an engine over it and a board, served on loopback.
type world struct {
	*testing.T
	redis  *miniredis.Miniredis
	engine *replay.Engine
	url    string
	client *http.Client // follows no redirect
	done   []board.Done
	untold error  // what telling of an act ends with
	close  func() // the board
}

func newWorld(t *testing.T, set ...func(*board.Config)) *world {
	w := &world{T: t, redis: miniredis.RunT(t)}
	// It tells of itself what miniredis leaves out.
	w.redis.Server().SetPreHook(func(p *server.Peer, cmd string, _ ...string) bool {
		if cmd == "INFO" {
			p.WriteBulk("redis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\nused_memory:1000000\r\n")
		}
		return cmd == "INFO"
	})
	client := redis.NewClient(&redis.Options{Addr: w.redis.Addr(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	engine, err := replay.New(client, replay.Config{Lock: lock.Config{Pipeline: lock.PipelineOff}})
	if err != nil {
		t.Fatal(err)
	}
	w.engine = engine
	w.serve(engine, set...)
	return w
}

func (w *world) serve(engine board.Engine, set ...func(*board.Config)) {
	will := func(states ...replay.KeyState) map[replay.KeyState]string {
		all := map[replay.KeyState]string{}
		for _, s := range states {
			all[s] = "change what is " + string(s) + "."
		}
		return all
	}
	cfg := board.Config{
		Where: "127.0.0.1:6379", Prefix: w.engine.Config().Prefix, Interval: 50 * time.Millisecond,
		Acted: func(d board.Done) error { w.done = append(w.done, d); return w.untold },
		Acts: []board.Act{
			{Name: "release", Past: "released", Will: will(replay.KeyClaimed, replay.KeyAbandoned), Do: w.engine.Release},
			{Name: "abandon", Past: "abandoned", Will: will(replay.KeyClaimed), Do: w.engine.Abandon},
			{Name: "forget", Past: "forgotten", Will: will(replay.KeyDone, replay.KeyForeign), Do: w.engine.Forget},
		},
	}
	for _, f := range set {
		f(&cfg)
	}
	b := board.New(engine, cfg)
	server := httptest.NewServer(b)
	w.close = b.Close
	w.Cleanup(func() { b.Close(); server.Close() })
	w.url = server.URL
	w.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// record makes the record of a request.
func (w *world) record(key string, value any) (digest string) {
	w.Helper()
	_, err := w.engine.Do(w.Context(), replay.Request{Scope: "acme", Key: key}, func(context.Context) (replay.Answer, error) {
		return replay.Answer{Value: value}, nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return w.engine.Digest("acme", key)
}

// leave leaves the claim of a request that has failed.
func (w *world) leave(key string) (digest string) {
	w.Helper()
	_, err := w.engine.Do(w.Context(), replay.Request{Scope: "acme", Key: key}, func(context.Context) (replay.Answer, error) {
		return replay.Answer{}, errors.New("it fails")
	})
	if err == nil {
		w.Fatal("it has not failed")
	}
	return w.engine.Digest("acme", key)
}

// A reply is what the board has answered.
type reply struct {
	*http.Response
	body string
}

// ask sends a request. A form makes it a POST.
func (w *world) ask(path string, form url.Values, headers ...string) reply {
	w.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	r, err := http.NewRequestWithContext(w.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := w.client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") == "text/event-stream" { // which doesn't end
		return reply{resp, ""}
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return reply{resp, string(text)}
}

// wants fails for another status, or if one of the words isn't there.
func (r reply) wants(t *testing.T, status int, words ...string) {
	t.Helper()
	if r.StatusCode != status {
		t.Errorf("%s %s: status %d, want %d:\n%s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.body)
	}
	for _, word := range words {
		if !strings.Contains(r.body, word) {
			t.Errorf("%s %s: no %q in\n%s", r.Request.Method, r.Request.URL.Path, word, r.body)
		}
	}
}

var markField = regexp.MustCompile(`name="mark" value="([0-9a-f]{32})"`)

// mark is what a form of the page carries.
func (r reply) mark(t *testing.T) string {
	t.Helper()
	m := markField.FindStringSubmatch(r.body)
	if m == nil {
		t.Fatalf("no mark in\n%s", r.body)
	}
	return m[1]
}
