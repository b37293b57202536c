package replay

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/internal/fault"
	"github.com/reprise-go/reprise/internal/ratelog"
	"github.com/reprise-go/reprise/lock"
)

// An Engine runs each request once and replays its answer. It is safe for concurrent use and needs
// no closing. Engines over one Redis with one Config.Prefix act as one.
type Engine struct {
	cfg    Config
	locker *lock.Locker
	codec  *cache.Codec
	prober *fault.Prober
	log    *ratelog.Log
}

// New makes an Engine over client, a *redis.Client or *redis.ClusterClient, which is not contacted
// yet. It fails with every fault of cfg at once.
func New(client redis.UniversalClient, cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	cfg = cfg.WithDefaults()
	locker, err := lock.New(client, cfg.Lock)
	if err != nil {
		return nil, err
	}
	codec, err := cache.NewCodec(cfg.Cache)
	if err != nil {
		return nil, err
	}
	return &Engine{cfg: cfg, locker: locker, codec: codec,
		prober: fault.NewProber(client, cfg.Lock.Timeout), log: ratelog.New(cfg.Logger)}, nil
}

// Check asks Redis for the settings on which the promises rest, and does on every primary what a
// request does: see lock.Locker.Check. It is meant for a program's start. Its keys begin with
// Config.Prefix.
//
// What is amiss is logged as a warning, and so discarded without Config.Logger; with
// Config.Lock.Strict it is returned instead. If no server answers at all, it returns ErrUnavailable
// in any case. A program that may start without Redis goes on after that.
func (e *Engine) Check(ctx context.Context) error {
	err := e.locker.Check(ctx, e.cfg.Prefix+":")
	if errors.Is(err, lock.ErrUnavailable) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// Findings does what Check does and returns what is amiss, whatever Config.Lock.Strict says: see
// lock.Locker.Findings. The error is ErrUnavailable if no server answers at all.
func (e *Engine) Findings(ctx context.Context) ([]*lock.SettingError, error) {
	found, err := e.locker.Findings(ctx, e.cfg.Prefix+":")
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return found, err
}

// StopWaiting makes every duplicate that waits get ErrInProgress, now and from now on. It is meant for
// a server that shuts down, as a function for http.Server.RegisterOnShutdown. Work goes on.
func (e *Engine) StopWaiting() { e.locker.StopWaiting() }

// Config returns the engine's configuration, defaults filled in.
func (e *Engine) Config() Config { return e.cfg }

// Do runs work under the request's key, or answers with what is stored there. It costs two round
// trips to Redis for a first request and one for any other (a record over 32 KiB, one more).
//
// The work's context carries the values of ctx and an Attempt; it ends when the lease is lost
// (cause lock.ErrLost) or has been held too long (lock.ErrMaxHold), and by default not with ctx.
// An error of the work is returned as it is, and nothing is stored.
//
// An error that comes before the work, or in its place, is one of this package's, the cause of ctx,
// or a *lock.KeyError. [OutcomeOf] tells which.
func (e *Engine) Do(ctx context.Context, req Request, work func(context.Context) (Answer, error)) (Result, error) {
	if req.Key == "" {
		return Result{}, &lock.KeyError{Field: "key", Want: "at least one byte"}
	}
	req.Wait = cmp.Or(req.Wait, e.cfg.Wait)
	req.OnAbandoned = cmp.Or(req.OnAbandoned, e.cfg.OnAbandoned)
	req.OnFailure = cmp.Or(req.OnFailure, e.cfg.OnFailure)
	req.OnStoreDown = cmp.Or(req.OnStoreDown, e.cfg.OnStoreDown)
	if req.OnAbandoned == AskReconcile && req.Reconcile == nil {
		return Result{}, &ConfigError{Name: "Request.Reconcile", Want: "a function", Other: "OnAbandoned"}
	}
	c := &call{engine: e, req: req, work: work, redisKey: e.redisKey(req.Scope, req.Key), start: time.Now()}
	c.codec = *e.codec.WithBounds(req.Bounds)
	return c.do(ctx)
}

// redisKey is a digest of scope and key, so that no client's text stands in Redis in the clear or
// steers a key to a slot. The scope's length comes first, so that no two pairs of scope and key are
// the same bytes.
func (e *Engine) redisKey(scope, key string) string {
	b := make([]byte, 0, 256)
	b = binary.BigEndian.AppendUint64(b, uint64(len(scope)))
	b = append(b, scope...)
	b = append(b, 0)
	b = append(b, key...)
	sum := sha256.Sum256(b)

	name := make([]byte, 0, 128+64)
	name = append(name, e.cfg.Prefix...)
	name = append(name, ':')
	return string(hex.AppendEncode(name, sum[:]))
}
