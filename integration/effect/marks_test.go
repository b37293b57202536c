package effect_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
)

// An answer that comes of an earlier attempt's effect is marked as a replay, over HTTP; and another
// request under the key gets 422.
func TestRepeatedEffectOverHTTP(t *testing.T) {
	onEach(t, func(w *world) {
		m := w.machine()
		adapter, err := httpadapter.New(m.Engine, httpadapter.Config{
			Scope: httpadapter.GlobalScope, RequireKey: true, AttemptHeader: true,
		})
		w.must(err)
		server := httptest.NewServer(adapter.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			got, err := w.once(w.table, "k")(r.Context())
			if err != nil {
				http.Error(rw, err.Error(), http.StatusInternalServerError)
				return
			}
			rw.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(rw).Encode(got)
		})))
		w.Cleanup(server.Close)
		ask := func(body string) (*http.Response, string) {
			r, err := http.NewRequestWithContext(w.bounded(), http.MethodPost, server.URL, strings.NewReader(body))
			w.must(err)
			r.Header.Set("Idempotency-Key", "k")
			answer, err := http.DefaultClient.Do(r)
			w.must(err)
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			w.must(err)
			return answer, string(text)
		}

		fresh, first := ask("10 euros")
		if fresh.StatusCode != http.StatusCreated || fresh.Header.Get("Idempotency-Replayed") != "" {
			w.Errorf("a fresh answer: %d %v", fresh.StatusCode, fresh.Header)
		}
		w.redis.FlushAll()
		refused, text := ask("20 euros")
		if refused.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(text, `"reused"`) {
			w.Errorf("another body: %d %s", refused.StatusCode, text)
		}
		for _, what := range []string{"comes of an earlier effect", "is replayed"} {
			again, second := ask("10 euros")
			if again.StatusCode != http.StatusCreated || second != first {
				w.Errorf("an answer that %s: %d %s, want %s", what, again.StatusCode, second, first)
			}
			if again.Header.Get("Idempotency-Replayed") != "true" || again.Header.Get("Idempotency-Attempt") != "" {
				w.Errorf("an answer that %s has %v", what, again.Header)
			}
		}
		w.charged("k")
	})
}

// unaryCall is a service of one method.
type unaryCall struct {
	testgrpc.UnimplementedTestServiceServer
	handle func(context.Context) (receipt, error)
}

func (s *unaryCall) UnaryCall(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	r, err := s.handle(ctx)
	return &testgrpc.SimpleResponse{Username: r.Number}, err
}

// The same over gRPC.
func TestRepeatedEffectOverGRPC(t *testing.T) {
	onEach(t, func(w *world) {
		adapter, err := grpcadapter.New(w.machine().Engine, grpcadapter.Config{
			Scope: grpcadapter.GlobalScope, Methods: []string{testgrpc.TestService_UnaryCall_FullMethodName}, RequireKey: true,
		})
		w.must(err)
		server := grpc.NewServer(grpc.UnaryInterceptor(adapter.UnaryServerInterceptor()))
		testgrpc.RegisterTestServiceServer(server, &unaryCall{handle: w.once(w.table, "k")})
		listener := bufconn.Listen(1 << 16)
		go func() { _ = server.Serve(listener) }()
		w.Cleanup(server.Stop)
		conn, err := grpc.NewClient("passthrough:///", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
		w.must(err)
		w.Cleanup(func() { conn.Close() })
		client := testgrpc.NewTestServiceClient(conn)
		ask := func(size int32) (r receipt, replayed bool, err error) {
			var header metadata.MD
			ctx := metadata.AppendToOutgoingContext(w.bounded(), "idempotency-key", "k")
			answer, err := client.UnaryCall(ctx, &testgrpc.SimpleRequest{ResponseSize: size}, grpc.Header(&header))
			return receipt{answer.GetUsername()}, grpcadapter.Replayed(header), err
		}

		first, replayed, err := ask(10)
		w.want(w.charged("k"), first, err)
		if replayed {
			w.Error("a fresh answer is marked")
		}
		w.redis.FlushAll()
		if _, _, err := ask(20); status.Code(err) != codes.FailedPrecondition {
			w.Errorf("another request: %v", err)
		}
		for _, what := range []string{"comes of an earlier effect", "is replayed"} {
			again, replayed, err := ask(10)
			w.want(first, again, err)
			if !replayed {
				w.Errorf("an answer that %s isn't marked", what)
			}
		}
		w.charged("k")
	})
}

// Without a key nobody could tell whether the effect has been done.
func TestWithoutAKey(t *testing.T) {
	onEach(t, func(w *world) {
		if _, _, err := effect.Do(w.bounded(), w.table, "charge", w.charge("k")); !errors.Is(err, effect.ErrNoKey) {
			w.Errorf("the error is %v", err)
		}
		passing := w.tableOn(w.db.DB, func(c *effect.Config) { c.OnNoKey = effect.RunNoKey })
		for range 2 {
			if _, result, err := effect.Do(w.bounded(), passing, "charge", w.charge("k")); err != nil || result.Repeated {
				w.Errorf("asked to pass: %+v, %v", result, err)
			}
		}
		if n := w.db.Int(w, "SELECT count(*) FROM charges"); n != 2 {
			w.Errorf("%d charges, want 2", n)
		}
	})
}

// A name that isn't accepted shows before the key counts.
func TestShadowRefusesABadName(t *testing.T) {
	onEach(t, func(w *world) {
		m := w.machine(func(c *replay.Config) { c.Shadow = true })
		_, _, err := replay.Do(w.bounded(), m.Engine, request("k"), func(ctx context.Context) (receipt, error) {
			r, _, err := effect.Do(ctx, w.table, "a charge", w.charge("k"))
			return r, err
		})
		var fault *effect.ConfigError
		if !errors.As(err, &fault) || fault.Name != "name" {
			w.Errorf("the error is %v", err)
		}
	})
}

// In shadow mode nothing is left out on the strength of the row, and none is written.
func TestShadow(t *testing.T) {
	onEach(t, func(w *world) {
		m := w.machine(func(c *replay.Config) { c.Shadow = true })
		for range 2 {
			if _, result, err := w.do(m, "k"); err != nil || result.Repeated {
				w.Errorf("the result is %+v, %v", result, err)
			}
		}
		if n := w.db.Int(w, "SELECT count(*) FROM charges"); n != 2 {
			w.Errorf("%d charges, want 2", n)
		}
		if n := w.db.Int(w, "SELECT count(*) FROM reprise_effects"); n != 0 {
			w.Errorf("%d rows", n)
		}
	})
}
