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

// Check asks Redis for the settings that the promises rest on, and does on every primary what a request
// does, as lock.Locker.Check says: for a program's start. Its keys begin with Config.Prefix.
func (e *Engine) Check(ctx context.Context) error { return e.locker.Check(ctx, e.cfg.Prefix+":") }

// StopWaiting makes every duplicate that waits get ErrInProgress, now and from now on: for a server that
// shuts down, as in http.Server.RegisterOnShutdown. Work is not concerned.
func (e *Engine) StopWaiting() { e.locker.StopWaiting() }

// Config returns the engine's configuration, defaults filled in.
func (e *Engine) Config() Config { return e.cfg }

// A Request says which work is asked for.
type Request struct {
	// Scope is whose key it is: a tenant, say. The same key in another scope is another key.
	Scope string

	// Key names the work: at least one byte. It is stored as a digest only.
	Key string

	// Fingerprint tells requests apart that share a key: at most 128 bytes of printable ASCII
	// without spaces, such as a digest of the request in hex. Empty if there is nothing to tell; that
	// is another request than any with a fingerprint.
	Fingerprint string

	// Authorize says whether the caller may learn anything of a key that has been used: an error
	// refuses with ErrReplayRefused, whatever the state of the key. It is asked once, before all that the
	// state could tell or cause: a replay, a comparison, a wait, a takeover, Reconcile. It is not asked
	// about a free key, whose work decides for itself. Nil allows all. With it, waiting and taking over
	// cost one round trip more.
	Authorize func(context.Context) error

	// Reconcile decides when an earlier attempt failed or died and Config.OnAbandoned is
	// AskReconcile. It runs in place of the work, holding the key, with an Attempt on its context;
	// an error from it refuses. With Done, its Answer is kept and given in place of the work's.
	Reconcile func(context.Context) (Decision, Answer, error)

	// Same, if not nil, tells whether another fingerprint, which the key has, is of this very request:
	// one that was made in another way, before a deployment, say. An error means that it can't be told,
	// and makes Do return ErrUnavailable: another machine may know. Where Same says yes, taking over or
	// waiting costs one more round trip, to ask by that fingerprint.
	Same func(fingerprint string) (bool, error)

	// Bounds are what the answers to such requests may be, encoded, where that is less than
	// Config.Cache.MaxDecoded allows. As with that, a larger answer is not kept, and a record of one
	// is not read: Result.Decode returns cache.ErrTooLarge with cache.ErrCorrupt. Zero is no bound.
	Bounds cache.Bounds

	// These override the fields of Config. Zero doesn't, and NoWait is no time at all.
	Wait        time.Duration
	OnAbandoned AbandonedPolicy
	OnFailure   FailurePolicy
	OnStoreDown StoreDownPolicy
}

// NoWait as Request.Wait makes a duplicate of a request in flight get ErrInProgress at once.
const NoWait time.Duration = -1

// A Decision is what Reconcile found out.
type Decision uint8

const (
	Undecided Decision = iota // refuse with ErrOutcomeUnknown, and ask again next time
	NotDone                   // the work has not been done: run it
	Done                      // it has been done: this is its answer
)

// An Answer is what work has to show, and what to do with it.
type Answer struct {
	Value     any           // encoded with msgpack by its fields' names
	Verdict   Verdict       // Zero means Keep.
	Retention time.Duration // Zero means Config.Retention.
}

// A Verdict is what becomes of the key after the work.
type Verdict uint8

const (
	Keep      Verdict = iota // store the answer and replay it
	Release                  // nothing has happened: the next request is the first
	Abandon                  // what has happened is unknown: the next attempt is told
	Tombstone                // it has happened, but the answer can't be kept: ErrReplayUnavailable from now on
)

// A Result says how a request got its answer.
type Result struct {
	Replayed   bool // the answer is that of an earlier request, to be had by Decode
	Reconciled bool // the answer is what Reconcile found out in this very request, to be had by Decode
	Stored     bool // later requests get this answer too
	Guarded    bool // the work ran, or had run, under a claim: false if Redis was down, or in shadow
	Attempt    int  // of the work that ran or was reconciled, or 0
	Fence      int64

	// Unconfirmed: Stored, but fewer replicas than Config.Lock.Acks have confirmed it, so that a
	// failover may forget it. Always false without Acks.
	Unconfirmed bool

	record cache.Record
}

// Decode reads an answer that was replayed or reconciled into v, a pointer to what Answer.Value
// pointed to or was. Its errors are cache's, with ErrUnreadable if the record is at fault.
func (r Result) Decode(v any) error {
	if !r.Replayed && !r.Reconciled {
		return errors.New("replay: nothing to decode: the work's own answer is the answer")
	}
	err := r.record.Decode(v)
	if errors.Is(err, cache.ErrCorrupt) {
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return err
}

// Do runs work under the request's key, or answers with what is stored there. It costs two round
// trips to Redis for a first request and one for any other (a record over 32 KiB, one more).
//
// The work's context carries the values of ctx and an Attempt; it ends when the lease is lost
// (cause lock.ErrLost) or has been held too long (lock.ErrMaxHold), and by default not with ctx.
// An error of the work is returned as it is, and nothing is stored.
//
// Errors that come before the work, or in its place, are those of this package, the cause of ctx, or
// a *lock.KeyError.
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
	p := &passage{engine: e, req: req, work: work, key: e.key(req.Scope, req.Key), start: time.Now()}
	p.codec = *e.codec.Within(req.Bounds)
	return p.do(ctx)
}

// key is the Redis key of a request: a digest, so that no client's text stands in Redis in the
// clear or steers a key to a slot. The scope's length comes first, so that no two pairs of scope
// and key are the same bytes.
func (e *Engine) key(scope, key string) string {
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
