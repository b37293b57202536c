package grpcadapter

import (
	"bytes"
	"context"
	"math"
	"net"
	"slices"
	"sync"
	"testing"
	"unicode/utf8"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/reprise-go/reprise/dialect"
)

// The oracle of these tests is gRPC itself: what a client receives of an answer that no adapter has
// touched.

// A bare is a server without an adapter, and a client.
type bare struct {
	testgrpc.UnimplementedTestServiceServer
	mu     sync.Mutex
	client testgrpc.TestServiceClient
	answer func(context.Context) error
}

func newBare(tb testing.TB) *bare {
	b := &bare{}
	server, listener := grpc.NewServer(), bufconn.Listen(1<<20)
	testgrpc.RegisterTestServiceServer(server, b)
	go server.Serve(listener)
	conn, err := grpc.NewClient("passthrough:bare", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close(); server.Stop() })
	b.client = testgrpc.NewTestServiceClient(conn)
	return b
}

func (b *bare) UnaryCall(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	return &testgrpc.SimpleResponse{}, b.answer(ctx)
}

// receive returns what a client gets of an answer.
func (b *bare) receive(answer func(context.Context) error) (st *spb.Status, header, trailer metadata.MD) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
	_, err := b.client.UnaryCall(context.Background(), &testgrpc.SimpleRequest{}, grpc.Header(&header), grpc.Trailer(&trailer))
	return status.Convert(err).Proto(), header, trailer
}

// A record gives back the status that gRPC made of the handler's error on the wire, whatever bytes
// are in it.
func FuzzStatusIsWhatTheWireMadeOfIt(f *testing.F) {
	for _, text := range []string{"no funds: é", "a\xff\xfe\xe4\xb8b", "\x00\r\n%41 ", ""} {
		for _, name := range []string{"", "type.googleapis.com/a.B", "a/\xff"} {
			f.Add(uint32(5), text, name, []byte("\x00\xff"))
		}
	}
	f.Add(uint32(999), "a", "", []byte{})
	b := newBare(f)
	f.Fuzz(func(t *testing.T, code uint32, text, name string, value []byte) {
		if code == 0 || code > math.MaxInt32 || len(text)+len(name)+len(value) > 4096 {
			return
		}
		said := &spb.Status{Code: int32(code), Message: text}
		if name != "" {
			said.Details = []*anypb.Any{{TypeUrl: name, Value: value}}
		}
		err := status.ErrorProto(said)
		first, _, _ := b.receive(func(context.Context) error { return err })
		var r record
		if err := r.fill(nil, statusOf(err), protoregistry.GlobalTypes); err != nil {
			t.Fatalf("not kept: %v", err)
		}
		_, failure, err := r.answer(protoregistry.GlobalTypes)
		if err != nil {
			t.Fatalf("kept, and not given back: %v", err)
		}
		if again, _, _ := b.receive(func(context.Context) error { return failure }); !proto.Equal(first, again) {
			t.Errorf("first %v, then %v", first, again)
		}
	})
}

// What a record keeps of metadata reaches the client and breaks no answer, though the record be
// forged.
func FuzzKeptMetadataReachesTheClient(f *testing.F) {
	for _, pair := range [][2]string{
		{"x-a", "a\nb"}, {"x-a", "é"}, {"x-a", "\xff"}, {"X-Up", "1"}, {"x a", "1"}, {"x!a", "1"}, {"", "1"}, {"x-a", "\x7f"},
		{"x-a", "a\tb"}, {"x-a-bin", "\x00\xff,"}, {":path", "1"}, {"connection", "close"}, {"transfer-encoding", "chunked"},
		{"grpc-status", "3"}, {"Grpc-Status", "3"}, {"content-type", "text/html"}, {"content-length", "0"}, {"te", "x"}, {"host", "x"},
		{"idempotency-replayed", "true"}, {"-bin", ""}, {"x-b-bin", ""}, {"trailer", "x"}, {"x-é", "1"},
	} {
		f.Add(pair[0], pair[1])
	}
	b := newBare(f)
	all, err := newMetadataFilter([]string{"*"}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		if len(key)+len(value) > 4096 {
			return
		}
		md := all.keep(metadata.MD{key: {value}})
		st, header, trailer := b.receive(func(ctx context.Context) error {
			grpc.SetHeader(ctx, md)
			return grpc.SetTrailer(ctx, md)
		})
		if codes.Code(st.GetCode()) != codes.OK || Replayed(header) {
			t.Fatalf("%q: %q is kept as %q: %v", key, value, md, st)
		}
		for k, values := range md {
			if !slices.Equal(header[k], values) || !slices.Equal(trailer[k], values) {
				t.Errorf("%q: sent %q, got %q and %q", k, values, header[k], trailer[k])
			}
		}
	})
}

// Whatever is found under a key: it is an answer as a handler's, which comes out of a record of its
// own as the same, or an error and nothing.
func FuzzRecord(f *testing.F) {
	message, _ := encode(&testgrpc.SimpleResponse{Payload: &testgrpc.Payload{Body: []byte("ok")}})
	failure, _ := encode(&spb.Status{Code: 5, Message: "é"})
	f.Add(uint32(0), "grpc.testing.SimpleResponse", message)
	f.Add(uint32(5), "", failure)
	f.Add(uint32(5), "grpc.testing.SimpleResponse", message)
	f.Add(uint32(0), "google.protobuf.NullValue", []byte{})
	f.Add(uint32(0), "google.protobuf.Any", []byte("\n\x01\xff"))
	f.Add(uint32(0), "google.protobuf.Struct", []byte("\xff"))
	f.Fuzz(func(t *testing.T, code uint32, name string, body []byte) {
		reply, failed, err := (&record{Code: code, Type: name, Body: body}).answer(protoregistry.GlobalTypes)
		if err != nil {
			if reply != nil || failed != nil {
				t.Fatalf("%v, and yet %v, %v", err, reply, failed)
			}
			return
		}
		if (failed == nil) != (code == 0) || (reply == nil) != (code != 0) {
			t.Fatalf("code %d: %v, %v", code, reply, failed)
		}
		var again record
		if err := again.fill(reply, statusOf(failed), protoregistry.GlobalTypes); err != nil {
			t.Fatalf("given, and not to be kept: %v", err)
		}
		if again.Code != code || code == 0 && again.Type != name || code != 0 && again.Type != "" {
			t.Errorf("%d %q became %d %q", code, name, again.Code, again.Type)
		}
		var third record
		reply, failed, err = again.answer(protoregistry.GlobalTypes)
		if err == nil {
			err = third.fill(reply, statusOf(failed), protoregistry.GlobalTypes)
		}
		if err != nil || !bytes.Equal(third.Body, again.Body) {
			t.Errorf("%q became %q, %v", again.Body, third.Body, err)
		}
	})
}

// A word of the operator's that is no text must not cost an error its details.
func TestRefusalWithABadWord(t *testing.T) {
	st, _ := refusal(dialect.KeyMalformed, "idempotency-key", "1 to 9 characters of \x80-\xff", 0)
	if len(st.Details()) != 2 || !utf8.ValidString(st.String()) || reasonOf(st) != "INVALID" {
		t.Errorf("got %v", st)
	}
}
