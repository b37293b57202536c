package httpclient_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/httpclient"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// Transport knows a replay of each dialect, whatever keys look like, and takes no first answer for one, though the handler
// sends the key back: that is what BlueSnap's marker looks like.
func TestReplaysAreKnown(t *testing.T) {
	for _, tc := range []struct {
		name   string
		server httpadapter.Config
		client httpclient.Transport
		first  bool // is the first answer taken for a replay? It can't be told, where the handler does what only replays should
	}{
		{"problem", httpadapter.Config{}, httpclient.Transport{}, false},
		{"ietf", httpadapter.Config{DialectName: "ietf"}, httpclient.Transport{Quoted: true}, false},
		{"credicorp", httpadapter.Config{DialectName: "credicorp"}, httpclient.Transport{}, false},
		{"stripe", httpadapter.Config{DialectName: "stripe"}, httpclient.Transport{}, false},
		{"bluesnap", httpadapter.Config{DialectName: "bluesnap"}, httpclient.Transport{Dialect: dialect.BlueSnap{}}, true},
		{"bluesnap with strict keys", httpadapter.Config{DialectName: "bluesnap", Syntax: dialect.Strict},
			httpclient.Transport{Dialect: dialect.BlueSnap{}, Quoted: true}, true},
	} {
		for _, echo := range []bool{false, true} {
			t.Run(tc.name+map[bool]string{true: ", echoed"}[echo], func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					engine, err := replay.New(f.Machine().Client, replay.Config{})
					if err != nil {
						t.Fatal(err)
					}
					tc.server.Scope = httpadapter.GlobalScope
					adapter, err := httpadapter.New(engine, tc.server)
					if err != nil {
						t.Fatal(err)
					}
					network := bubble.NewPipes()
					server := &http.Server{ErrorLog: quiet, Handler: adapter.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if echo {
							w.Header().Set("Idempotency-Key", r.Header.Get("Idempotency-Key"))
						}
					}))}
					go func() { _ = server.Serve(network) }()
					t.Cleanup(func() { _ = server.Close() })
					base := &http.Transport{DialContext: network.Dial}
					t.Cleanup(base.CloseIdleConnections)
					tc.client.Base = base
					for i, want := range []bool{tc.first && echo, true} {
						r, _ := http.NewRequestWithContext(httpclient.WithKey(t.Context(), "order-1"), "POST", "http://api.test/", strings.NewReader("order"))
						resp, err := tc.client.RoundTrip(r)
						if err != nil {
							t.Fatal(err)
						}
						_ = resp.Body.Close()
						if reply := httpclient.ReplyOf(resp); resp.StatusCode != 200 || reply.Replayed != want {
							t.Errorf("answer %d: %d, %+v, want it replayed: %v", i+1, resp.StatusCode, reply, want)
						}
					}
				})
			})
		}
	}
}
