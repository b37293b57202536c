package grpcadapter_test

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/replay"
)

// Metadata that HTTP/2 can't carry would cost the client the whole answer, each time. Whoever sets
// it is told.
func TestMetadataThatCantBeSent(t *testing.T) {
	run(t, func(w *world) {
		bad := []metadata.MD{{"X-Up": {"1"}}, {"x-a": {"fine", "a\nb"}}, {"": {"1"}}, {"x a": {"1"}}}
		s := w.serve(setup{}, func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			for _, md := range bad {
				for _, set := range []func(context.Context, metadata.MD) error{grpc.SetHeader, grpc.SetTrailer} {
					if err := set(ctx, md); status.Code(err) != codes.Internal {
						t.Errorf("%q: got %v", md, err)
					}
				}
			}
			for _, err := range []error{
				grpc.SetHeader(ctx, metadata.MD{"x-a": {"é"}, "x-a-bin": {"\x00\n"}}), grpc.SetTrailer(ctx, metadata.MD{"x-a": nil}),
			} {
				if err != nil {
					t.Error(err)
				}
			}
			if err := grpc.SendHeader(ctx, bad[0]); status.Code(err) != codes.Internal {
				t.Errorf("got %v", err)
			}
			return say("ok")
		})
		for i, a := range []answer{s.send("k", "pay"), s.send("k", "pay")} {
			if a.text() != "ok" || a.replayed() != (i == 1) || !slices.Equal(a.header["x-a"], []string{"é"}) || !slices.Equal(a.header["x-a-bin"], []string{"\x00\n"}) {
				t.Errorf("answer %d: %q, %v, %q", i+1, a.text(), a.err, a.header)
			}
		}
	})
}

// What comes out of a record is filtered as what goes in: a forged one breaks no answer, and marks
// none.
func TestForgedMetadata(t *testing.T) {
	run(t, func(w *world) {
		fingerprint, err := grpcadapter.Fingerprint("/grpc.testing.TestService/UnaryCall", request("pay"))
		if err != nil {
			t.Fatal(err)
		}
		md := metadata.MD{
			"transfer-encoding": {"chunked"}, "connection": {"close"}, "content-length": {"0"}, "grpc-encoding": {"gzip"}, "X-Up": {"1"},
			"x-a": {"a\nb"}, "": {"1"}, ":status": {"500"}, "idempotency-stored": {"false"}, "x-b": {"kept"},
		}
		forged := struct {
			Type    string      `msgpack:"type"`
			Body    []byte      `msgpack:"body"`
			Header  metadata.MD `msgpack:"header"`
			Trailer metadata.MD `msgpack:"trailer"`
		}{Type: "grpc.testing.SimpleResponse", Header: md, Trailer: md}
		_, err = w.engine(replay.Config{}).Do(w.Context(), replay.Request{Key: "k", Fingerprint: fingerprint},
			func(context.Context) (replay.Answer, error) { return replay.Answer{Value: forged}, nil })
		if err != nil {
			t.Fatal(err)
		}
		s := w.serve(setup{}, func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			t.Error("it ran")
			return say("ran")
		})
		a := s.send("k", "pay")
		if a.err != nil || !a.replayed() || len(a.header["idempotency-stored"]) != 0 {
			t.Errorf("got %v, %q", a.err, a.header)
		}
		for _, got := range []metadata.MD{a.header, a.trailer} {
			for key := range md {
				if (len(got[key]) > 0) != (key == "x-b") {
					t.Errorf("%q: got %q", key, got[key])
				}
			}
		}
	})
}
