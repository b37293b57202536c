package httpadapter

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/ratelog"
	"github.com/reprise-go/reprise/replay"
)

// An Adapter makes handlers safe to retry. It is safe for concurrent use; one serves any number of
// routes that share its configuration.
type Adapter struct {
	engine        *replay.Engine
	shadow        bool   // the engine only observes, and so do we
	dialect       string // for Trace
	given         Config // to New
	cfg           Config
	filter        headerFilter
	fingerprinter *fingerprinter
	log           *ratelog.Log
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
		faults = append(faults, &ConfigError{Name: "Scope", Want: "ScopeHeader, ScopeFunc or GlobalScope: whose key is it?"})
	}
	if err := errors.Join(append(faults, cfg.Validate())...); err != nil {
		return nil, fmt.Errorf("httpadapter: %w", err)
	}
	cfg = cfg.clone()
	given := cfg
	cfg = cfg.WithDefaults()
	filter, err := newHeaderFilter(cfg.AllowHeaders, cfg.DenyHeaders, cfg.Dialect)
	if err != nil {
		return nil, fmt.Errorf("httpadapter: %w", err)
	}
	return &Adapter{
		engine:        engine,
		shadow:        engine.Config().Shadow,
		dialect:       given.dialectName(),
		given:         given,
		cfg:           cfg,
		filter:        filter,
		fingerprinter: newFingerprinter(cfg.Fingerprint),
		log:           ratelog.New(cfg.Logger),
	}, nil
}

// Route returns an Adapter on the same engine for a route that differs in what change sets, of the
// Config that a was made with:
//
//	refunds, err := adapter.Route(func(c *httpadapter.Config) {
//		c.RequireKey = true
//		c.OnAbandoned = replay.RefuseUnknown
//	})
//	mux.Handle("POST /refunds", refunds.Handler(handleRefund))
func (a *Adapter) Route(change func(*Config)) (*Adapter, error) {
	cfg := a.given.clone()
	change(&cfg)
	return New(a.engine, cfg)
}

// Handler runs next once for each key, and answers retries with what next answered. Inside another
// adapter of the same engine, for the same scope and key, it lets requests pass, and says so in the
// log: the outer one has the key, so its settings count. A route with settings of its own must not
// stand in a group with an adapter.
func (a *Adapter) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, next) })
}

// serve is the way of one request: key and scope, body, fingerprint, engine, answer.
func (a *Adapter) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if !slices.Contains(a.cfg.Methods, r.Method) {
		next.ServeHTTP(w, r)
		return
	}
	x := &exchange{adapter: a, w: w, r: r, next: next}
	var err error
	x.key, x.keyHeader, err = readKey(r.Header, a.cfg.Headers, a.cfg.Syntax)
	if fault, ok := errors.AsType[*dialect.KeyError](err); ok {
		if fault.Outcome == dialect.KeyMissing && !a.cfg.RequireKey {
			next.ServeHTTP(w, r)
			return
		}
		x.keyHeader = fault.Header
		x.turnAway(fault.Outcome, fault.Want)
		return
	}
	if x.scope, err = a.cfg.Scope(r); err != nil {
		x.turnAway(dialect.Unscoped, "")
		return
	}
	if a.engine.Holds(r.Context(), x.scope, x.key) {
		// An adapter around this one, as of a group around a route, has the key. It guards what
		// runs in here.
		a.log.Write(logNested, "the same engine, scope and key")
		next.ServeHTTP(w, r)
		return
	}
	if fault, ok := x.readBody(); !ok {
		x.turnAway(fault, "")
		return
	}
	x.identity.set(a.fingerprinter, r, x.body)
	req := replay.Request{
		Scope:       x.scope,
		Key:         x.key,
		Fingerprint: x.identity.String(),
		Same:        x.identity.same,
		Wait:        a.wait(r),
		OnAbandoned: a.cfg.OnAbandoned,
		OnFailure:   a.cfg.OnFailure,
		OnStoreDown: a.cfg.OnStoreDown,
		Bounds:      a.cfg.bounds(),
		Route:       a.route(r),
		Dialect:     a.dialect,
	}
	if a.cfg.Authorize != nil {
		req.Authorize = x.authorize
	}
	if a.cfg.Reconcile != nil {
		req.Reconcile = x.reconcile
	}
	result, err := a.engine.Do(r.Context(), req, x.work)
	x.answer(result, err)
}

// route is what telemetry calls the request's route: by default the path of a pattern of
// http.ServeMux, which may begin with a method and a host.
func (a *Adapter) route(r *http.Request) string {
	if a.cfg.Route != nil {
		return a.cfg.Route(r)
	}
	if i := strings.IndexByte(r.Pattern, '/'); i >= 0 {
		return r.Pattern[i:]
	}
	return r.Pattern
}

// wait is how long a duplicate waits for the request in flight; 0 leaves it to the engine.
func (a *Adapter) wait(r *http.Request) time.Duration {
	if a.cfg.PreferWait == 0 {
		return a.cfg.Wait
	}
	preferred, ok := preferredWait(r.Header)
	switch {
	case !ok:
		return a.cfg.Wait
	case preferred == 0:
		return replay.NoWait
	}
	return min(preferred, a.cfg.PreferWait)
}
