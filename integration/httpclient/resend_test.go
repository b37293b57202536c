package httpclient_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/httpclient"
)

// net/http's Transport takes Idempotency-Key for leave to send a POST again, unasked, when a connection that it used
// before breaks without an answer. Real sockets, real time: this is about what the standard library does.
func TestResendThatNobodyAskedFor(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault fault
		key   bool
		adapt bool // our Transport in between
		sent  int  // how often the order arrives
	}{
		{"by http.Client, with a key", dropAfter, true, false, 2},
		{"by http.Client, with a key, before the handler ran", dropBefore, true, false, 2},
		{"by http.Client, without a key", dropAfter, false, false, 1},
		{"by http.Client, under our Transport", dropAfter, true, true, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			redisServer := miniredis.RunT(t)
			rc := redis.NewClient(&redis.Options{Addr: redisServer.Addr(), ContextTimeoutEnabled: true, DisableIdentity: true})
			t.Cleanup(func() { _ = rc.Close() })
			s := &site{arrivals: map[string]int{}, effects: map[string][]string{}}
			var mu sync.Mutex
			var from []string // the client's ports that the order came from
			s.fault = func(r *http.Request, arrival int) fault {
				if r.URL.Path != "/orders" {
					return none
				}
				mu.Lock()
				defer mu.Unlock()
				if from = append(from, r.RemoteAddr); len(from) == 1 {
					return tc.fault
				}
				return none
			}
			server := httptest.NewUnstartedServer(s.handler(t, rc))
			server.Config.ErrorLog = quiet
			server.Start()
			t.Cleanup(server.Close)

			base := &http.Transport{}
			t.Cleanup(base.CloseIdleConnections)
			var last httpclient.TryInfo
			client := &http.Client{Transport: base}
			if tc.adapt {
				client.Transport = &httpclient.Transport{Base: base, MaxTries: 1, Trace: &httpclient.Trace{
					Try: func(_ context.Context, i httpclient.TryInfo) { last = i },
				}}
			}
			send := func(path, key string) (string, error) {
				r := order(t.Context(), "order")
				r.URL.Scheme, r.URL.Host, r.URL.Path = "http", server.Listener.Addr().String(), path
				if key != "" {
					r.Header.Set("Idempotency-Key", key)
				}
				resp, err := client.Do(r)
				if err != nil {
					return "", err
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				return string(b), err
			}
			if _, err := send("/warm", "warm"); err != nil { // so that the connection was used before
				t.Fatal(err)
			}
			key := ""
			if tc.key {
				key = "k"
			}
			body, err := send("/orders", key)
			mu.Lock()
			defer mu.Unlock()
			if len(from) != tc.sent || tc.sent == 2 && from[0] == from[1] {
				t.Errorf("the order came from %q, want %d connections", from, tc.sent)
			}
			if !tc.key {
				if err == nil {
					t.Error("a POST without a key was repeated")
				}
				return
			}
			if did := s.did(key); err != nil || !slices.Equal(did, []string{body}) {
				t.Errorf("got %q, %v, and the effects are %q: want one", body, err, did)
			}
			if tc.adapt && (last.Try != 1 || last.Connections != 2 || !last.Replayed) {
				t.Errorf("told of %+v, want one try over two connections", last)
			}
		})
	}
}
