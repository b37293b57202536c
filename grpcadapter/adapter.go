package grpcadapter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/ratelog"
	"github.com/reprise-go/reprise/replay"
)

// traceDialect is the dialect of calls, as replay.Trace is told it.
const traceDialect = "grpc"

// An Adapter makes unary methods safe to retry. It is safe for concurrent use; one serves any
// number of services and servers that share its configuration.
type Adapter struct {
	engine *replay.Engine
	shadow bool   // the engine only observes, and so do we
	given  Config // to New
	cfg    Config
	filter metadataFilter
	log    *ratelog.Log
}

// New makes an Adapter. It fails with every fault of cfg at once, a missing Scope among them.
func New(engine *replay.Engine, cfg Config) (*Adapter, error) {
	var faults []error
	if engine == nil {
		faults = append(faults, &ConfigError{Name: "engine", Value: "nil", Want: "a *replay.Engine"})
	} else if cmp.Or(cfg.OnAbandoned, engine.Config().OnAbandoned) == replay.AskReconcile && cfg.Reconcile == nil {
		faults = append(faults, &ConfigError{Name: "Reconcile", Want: "a function", Other: "OnAbandoned, of the engine if not here"})
	}
	if cfg.Scope == nil {
		faults = append(faults, &ConfigError{Name: "Scope", Want: "ScopeMetadata, ScopeFunc or GlobalScope: whose key is it?"})
	}
	if err := errors.Join(append(faults, cfg.Validate())...); err != nil {
		return nil, fmt.Errorf("grpcadapter: %w", err)
	}
	cfg = cfg.clone()
	given := cfg
	cfg = cfg.WithDefaults()
	filter, err := newMetadataFilter(cfg.AllowMetadata, cfg.DenyMetadata)
	if err != nil {
		return nil, fmt.Errorf("grpcadapter: %w", err)
	}
	return &Adapter{
		engine: engine,
		shadow: engine.Config().Shadow,
		given:  given,
		cfg:    cfg,
		filter: filter,
		log:    ratelog.New(cfg.Logger),
	}, nil
}

// Route returns an Adapter on the same engine for methods that differ in what change sets, of the
// Config that a was made with. It must set the Methods, or MethodFunc. A server has one chain of
// interceptors for all its methods, so it is a's interceptor that hands a call to the route:
//
//	refunds, err := adapter.Route(func(c *grpcadapter.Config) {
//		c.Methods = []string{"/shop.Refunds/*"}
//		c.OnAbandoned = replay.RefuseUnknown
//	})
//	server := grpc.NewServer(grpc.ChainUnaryInterceptor(authenticate, adapter.UnaryServerInterceptor(refunds)))
func (a *Adapter) Route(change func(*Config)) (*Adapter, error) {
	cfg := a.given.clone()
	cfg.Methods, cfg.MethodFunc = nil, nil
	change(&cfg)
	if len(cfg.Methods) == 0 && cfg.MethodFunc == nil {
		return nil, fmt.Errorf("grpcadapter: %w", &ConfigError{Name: "Methods", Want: "those of the route", Other: "MethodFunc"})
	}
	return New(a.engine, cfg)
}

// UnaryServerInterceptor runs each handler once for a key, and answers retries with what it
// answered. A call is for the first of routes whose Methods have it, and for a if none have.
// Streams pass.
//
// It belongs inside authentication, rate limits and whatever turns panics into errors: later in the
// list of grpc.ChainUnaryInterceptor. Inside another adapter of the same engine, for the same scope
// and key, it lets calls pass, and says so in the log: the outer one has the key, so its settings
// count.
func (a *Adapter) UnaryServerInterceptor(routes ...*Adapter) grpc.UnaryServerInterceptor {
	if len(routes) == 0 {
		return a.serve
	}
	routes = slices.Clone(routes)
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		for _, route := range routes {
			if route.takes(info.FullMethod) {
				return route.serve(ctx, req, info, next)
			}
		}
		return a.serve(ctx, req, info, next)
	}
}

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
	if x.scope, err = a.cfg.Scope(ctx); err != nil {
		return x.turnAway(dialect.Unscoped, "")
	}
	if a.engine.Holds(ctx, x.scope, key) {
		// An adapter around this one has the key, and guards what runs in here.
		a.log.Write(logNested, "the same engine, scope and key")
		return next(ctx, req)
	}
	known, err := fingerprint(info.FullMethod, req)
	if err != nil {
		// Letting it pass would leave it unprotected, unnoticed.
		a.log.Write(logUntold, "a request can't be told from others", slog.String("method", info.FullMethod), slog.Any("err", err))
		return x.turnAway(0, "")
	}
	request := replay.Request{
		Scope:       x.scope,
		Key:         key,
		Fingerprint: known,
		Wait:        a.cfg.Wait,
		OnAbandoned: a.cfg.OnAbandoned,
		OnFailure:   a.cfg.OnFailure,
		OnStoreDown: a.cfg.OnStoreDown,
		Bounds:      a.cfg.bounds(),
		Route:       info.FullMethod,
		Dialect:     traceDialect,
	}
	if a.cfg.Authorize != nil {
		request.Authorize = x.authorize
	}
	if a.cfg.Reconcile != nil {
		request.Reconcile = x.reconcile
	}
	// The context is the caller's: the engine detaches the work from it, values aside.
	return x.answer(a.engine.Do(ctx, request, x.work))
}

// takes reports whether a method takes part.
func (a *Adapter) takes(fullMethod string) bool {
	if a.cfg.MethodFunc != nil {
		return a.cfg.MethodFunc(fullMethod)
	}
	return matches(a.cfg.Methods, fullMethod)
}
