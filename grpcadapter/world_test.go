package grpcadapter_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

func init() { redis.SetLogger(quiet{}) } // what fails here fails on purpose

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// A world is a Redis and the servers over it, in a bubble of fake time: real gRPC, real scripts.
type world struct {
	*testing.T
	redis *miniredis.Miniredis
	down  atomic.Bool // no connection gets through to Redis
}

func run(t *testing.T, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, redis: miniredis.NewMiniRedis()}
		w.redis.ClockTTL(true)
		t.Cleanup(func() {
			w.redis.Close()
			time.Sleep(15 * time.Minute) // of the bubble: whatever is left behind must end
		})
		test(w)
	})
}

func (w *world) engine(cfg replay.Config) *replay.Engine {
	w.Helper()
	client := redis.NewClient(&redis.Options{
		MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			if w.down.Load() {
				return nil, syscall.ECONNREFUSED
			}
			conn, err := w.redis.Dial()
			return &cable{conn, w}, err
		},
	})
	w.Cleanup(func() { client.Close() })
	cfg.Lock.Pipeline = lock.PipelineOff // net.Pipe holds nothing: a pipeline and its replies would wait for each other
	engine, err := replay.New(client, cfg)
	if err != nil {
		w.Fatal(err)
	}
	return engine
}

// A cable to Redis carries nothing while Redis is down.
type cable struct {
	net.Conn
	w *world
}

func (c *cable) Write(b []byte) (int, error) {
	if c.w.down.Load() {
		c.Close()
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(b)
}

// A unary is a handler of the methods UnaryCall and CacheableUnaryCall.
type unary func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error)

type service struct {
	testgrpc.UnimplementedTestServiceServer
	handle unary
}

func (s *service) UnaryCall(ctx context.Context, r *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	return s.handle(ctx, r)
}

func (s *service) CacheableUnaryCall(ctx context.Context, r *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	return s.handle(ctx, r)
}

func (s *service) StreamingOutputCall(_ *testgrpc.StreamingOutputCallRequest, out grpc.ServerStreamingServer[testgrpc.StreamingOutputCallResponse]) error {
	r, err := s.handle(out.Context(), nil)
	if err == nil {
		err = out.Send(&testgrpc.StreamingOutputCallResponse{Payload: r.Payload})
	}
	return err
}

// A site is a server and a connection to it.
type site struct {
	testgrpc.TestServiceClient
	w      *world
	server *grpc.Server
	wire   atomic.Pointer[net.Conn] // the server's end of the latest connection
}

// setup is what a site is made of. Its zero value is the default configuration.
type setup struct {
	engine replay.Config
	cfg    grpcadapter.Config
	outer  []grpc.UnaryServerInterceptor // around the adapter's
	dial   []grpc.DialOption
}

func (w *world) serve(s setup, handle unary) *site {
	w.Helper()
	if s.cfg.Scope == nil {
		s.cfg.Scope = grpcadapter.GlobalScope
	}
	adapter, err := grpcadapter.New(w.engine(s.engine), s.cfg)
	if err != nil {
		w.Fatal(err)
	}
	at := &site{w: w, server: grpc.NewServer(grpc.ChainUnaryInterceptor(append(s.outer, adapter.UnaryServerInterceptor())...))}
	testgrpc.RegisterTestServiceServer(at.server, &service{handle: handle})
	listener := bufconn.Listen(1 << 16)
	go at.server.Serve(listener)
	conn, err := grpc.NewClient("passthrough:site", append(s.dial,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			conn, err := listener.DialContext(ctx)
			at.wire.Store(&conn)
			return conn, err
		}))...)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { conn.Close(); at.server.Stop() })
	at.TestServiceClient = testgrpc.NewTestServiceClient(conn)
	return at
}

// cut breaks the connection.
func (s *site) cut() { (*s.wire.Load()).Close() }

// An answer is all that a client gets to see of a call.
type answer struct {
	reply           *testgrpc.SimpleResponse
	err             error
	header, trailer metadata.MD
}

// send sends one call with a key, or without if that is empty, and with pairs of metadata.
func (s *site) send(key, body string, pairs ...string) (a answer) {
	return s.sendIn(s.w.Context(), key, body, pairs...)
}

func (s *site) sendIn(ctx context.Context, key, body string, pairs ...string) (a answer) {
	if key != "" {
		pairs = append(pairs, "idempotency-key", key)
	}
	ctx = metadata.AppendToOutgoingContext(ctx, pairs...)
	a.reply, a.err = s.UnaryCall(ctx, request(body), grpc.Header(&a.header), grpc.Trailer(&a.trailer))
	return a
}

// outgoing is a client's context with a key, and incoming that of a handler called without gRPC.
func (w *world) outgoing(key string) context.Context {
	return metadata.AppendToOutgoingContext(w.Context(), "idempotency-key", key)
}

func (w *world) incoming(key string) context.Context {
	return metadata.NewIncomingContext(w.Context(), metadata.Pairs("idempotency-key", key))
}

func request(body string) *testgrpc.SimpleRequest {
	return &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: []byte(body)}}
}

func (a answer) code() codes.Code { return status.Code(a.err) }

func (a answer) text() string { return string(a.reply.GetPayload().GetBody()) }

func (a answer) replayed() bool { return grpcadapter.Replayed(a.header) }

// reason is that of reprise's ErrorInfo.
func (a answer) reason() string {
	info, _ := detail[*errdetails.ErrorInfo](a)
	if info.GetDomain() != grpcadapter.Domain {
		return ""
	}
	return info.GetReason()
}

func detail[T any](a answer) (T, bool) {
	for _, d := range status.Convert(a.err).Details() {
		if d, ok := d.(T); ok {
			return d, true
		}
	}
	return *new(T), false
}

// say answers with text.
func say(text string) (*testgrpc.SimpleResponse, error) {
	return &testgrpc.SimpleResponse{Payload: &testgrpc.Payload{Body: []byte(text)}}, nil
}

// count is a handler whose answers tell how often it has run.
func count(runs *atomic.Int64) unary {
	return func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
		return say("run " + string('0'+rune(runs.Add(1))))
	}
}

var errFault = errors.New("a fault")

// noTypes knows no message.
type noTypes struct {
	protoregistry.MessageTypeResolver
}

func (noTypes) FindMessageByName(protoreflect.FullName) (protoreflect.MessageType, error) {
	return nil, protoregistry.NotFound
}
