package grpcadapter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/ratelog"
	"github.com/reprise-go/reprise/replay"
)

// An Adapter makes unary methods safe to retry. It is safe for concurrent use; one serves any
// number of services and servers that share its configuration.
type Adapter struct {
	engine *replay.Engine
	shadow bool // the engine only observes, and so do we
	cfg    Config
	log    *ratelog.Log
}

// New makes an Adapter. It fails with every fault of cfg at once, a missing Scope among them.
func New(engine *replay.Engine, cfg Config) (*Adapter, error) {
	var faults []error
	if engine == nil {
		faults = append(faults, &ConfigError{Name: "engine", Value: "nil", Want: "a *replay.Engine"})
	} else if engine.Config().OnAbandoned == replay.AskReconcile && cfg.Reconcile == nil {
		faults = append(faults, &ConfigError{Name: "Reconcile", Want: "a function", Other: "the engine's OnAbandoned"})
	}
	if cfg.Scope == nil {
		faults = append(faults, &ConfigError{Name: "Scope", Want: "ScopeMetadata, ScopeFunc or GlobalScope: whose key is it?"})
	}
	if err := errors.Join(append(faults, cfg.Validate())...); err != nil {
		return nil, fmt.Errorf("grpcadapter: %w", err)
	}
	cfg = cfg.WithDefaults()
	return &Adapter{engine: engine, shadow: engine.Config().Shadow, cfg: cfg, log: ratelog.New(cfg.Logger)}, nil
}

// UnaryServerInterceptor runs each handler once for a key, and answers retries with what it
// answered. It belongs inside authentication, rate limits and whatever turns panics into errors:
// later in the list of grpc.ChainUnaryInterceptor. Streams are none of its business. Inside another
// adapter of the same engine, for the same scope and key, it lets calls pass, and says so in the
// log: the outer one has the key, so its settings count.
func (a *Adapter) UnaryServerInterceptor() grpc.UnaryServerInterceptor { return a.serve }

// serve is the way of one call: key and scope, fingerprint, engine, answer.
func (a *Adapter) serve(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !a.takes(info.FullMethod) {
		return next(ctx, req)
	}
	x := &exchange{adapter: a, ctx: ctx, req: req, info: info, next: next}
	key, err := a.cfg.Syntax.Parse(metadata.ValueFromIncomingContext(ctx, a.cfg.KeyMetadata))
	if fault, ok := errors.AsType[*dialect.KeyError](err); ok {
		if fault.Outcome == dialect.KeyMissing && !a.cfg.RequireKey {
			return next(ctx, req)
		}
		// A client that meant to send a key must not go unprotected because it is malformed.
		return x.turnAway(fault.Outcome, fault.Want)
	}
	scope, err := a.cfg.Scope(ctx)
	if err != nil {
		return x.turnAway(dialect.Unscoped, "")
	}
	if a.engine.Holds(ctx, scope, key) {
		// An adapter around this one has the key, and guards what runs in here.
		a.log.Write(slog.LevelWarn, "grpcadapter: calls pass an adapter inside another; the outer one's settings count", "the same engine, scope and key")
		return next(ctx, req)
	}
	told, err := fingerprint(info.FullMethod, req)
	if err != nil {
		// Letting it pass would leave it unprotected, unnoticed.
		a.log.Write(slog.LevelError, "grpcadapter: a call is answered INTERNAL", "a request can't be told from others", slog.String("method", info.FullMethod), slog.Any("err", err))
		return x.turnAway(0, "")
	}
	request := replay.Request{Scope: scope, Key: key, Fingerprint: told, OnStoreDown: a.cfg.OnStoreDown, Bounds: a.cfg.bounds()}
	if a.cfg.Authorize != nil {
		request.Authorize = x.authorize
	}
	if a.cfg.Reconcile != nil {
		request.Reconcile = x.reconcile
	}
	// The context is the caller's: the engine detaches the work from it, values aside.
	return x.answer(a.engine.Do(ctx, request, x.work))
}

func (a *Adapter) takes(fullMethod string) bool {
	if a.cfg.MethodFunc != nil {
		return a.cfg.MethodFunc(fullMethod)
	}
	return matches(a.cfg.Methods, fullMethod)
}

// stores decides whether an answer is stored.
func (a *Adapter) stores(code codes.Code) bool {
	switch {
	case a.cfg.StoresFunc != nil:
		return a.cfg.StoresFunc(code)
	case a.cfg.Stores == StoreSuccess:
		return code == codes.OK
	case a.cfg.Stores == StoreAll:
		return true
	}
	return fateOf(code) == final
}

// saysAgain reports whether an error says that the same call may be sent again, by google.rpc.RetryInfo or by gRPC's own
// pushback (gRFC A6). It is no result, and under no policy is it stored.
func saysAgain(st *status.Status, trailer metadata.MD) bool {
	if st.Code() == codes.OK {
		return false
	}
	if values := trailer.Get(pushbackKey); len(values) == 1 {
		if _, err := strconv.ParseUint(values[0], 10, 31); err == nil {
			return true
		}
	}
	return slices.ContainsFunc(st.Details(), func(detail any) bool {
		_, ok := detail.(*errdetails.RetryInfo)
		return ok
	})
}

// retention is how long an answer is stored; 0 leaves it to the engine.
func (a *Adapter) retention(code codes.Code) time.Duration {
	if a.cfg.TTLFunc != nil {
		if d := a.cfg.TTLFunc(code); d > 0 {
			return d
		}
	}
	if code == codes.OK {
		return a.cfg.TTLOK
	}
	return a.cfg.TTLError
}

// A fate is what a code says of the call that it answers.
type fate uint8

const (
	unsure   fate = iota // it may have done anything: the next attempt is told
	declined             // it did nothing, and the same call may succeed: the next is the first
	final                // the same call would meet the same again
)

// fateOf follows the meanings that gRPC gives its codes (statuscodes.md): FAILED_PRECONDITION
// calls for another state and so for another operation, ABORTED for the same again. What isn't
// named, codes of no standard among it, leaves everything open.
func fateOf(code codes.Code) fate {
	switch code {
	case codes.OK, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists,
		codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented:
		return final
	case codes.Unauthenticated, codes.PermissionDenied, codes.ResourceExhausted, codes.Aborted:
		return declined
	}
	return unsure
}
