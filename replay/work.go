package replay

import (
	"context"
	"sync"

	"github.com/reprise-go/reprise/internal/derive"
)

// A Work is the identity of the work that runs for a request. Package effect writes it beside the
// effect, into the user's own database.
type Work struct {
	// Key is the Redis key: Config.Prefix and a digest of the request's scope and key.
	Key string

	Fingerprint string // the request's; may be empty

	Attempt int   // as Attempt.Number; 0 without a claim
	Fence   int64 // as Attempt.Fence; 0 without a claim

	// Guarded is false if the work runs without a claim, because Redis is down ([RunUnguarded]) or
	// in shadow mode: others may run under the same key at the same time.
	Guarded bool

	// Shadow means that the key is only observed (Config.Shadow): nothing may be refused or left
	// out on the strength of it.
	Shadow bool

	call *call
}

// ErrNoWork is the error of [DeriveKey] with a context that is not that of work under a key.
var ErrNoWork = derive.ErrNoWork

// WorkFrom returns the work that ctx belongs to, also if it runs without a claim.
func WorkFrom(ctx context.Context) (Work, bool) {
	a, ok := ctx.Value(attemptKey{}).(*attemptContext)
	if !ok {
		return Work{}, false
	}
	return Work{
		Key:         a.call.redisKey,
		Fingerprint: a.call.req.Fingerprint,
		Attempt:     a.attempt.Number,
		Fence:       a.attempt.Fence,
		Guarded:     a.guarded(),
		Shadow:      a.call.engine.cfg.Shadow,
		call:        a.call,
	}, true
}

// Match returns nil if an effect that was found in the user's database, and that has this
// fingerprint, belongs to the request. Otherwise it returns the error with which Do refuses the
// request whatever the work returns: [ErrReused] for another request's fingerprint,
// [ErrReplayRefused] as Request.Authorize decides, which is asked now if it wasn't before, and
// [ErrUnavailable] if the fingerprint can't be compared here. Once the work has returned, it is
// [ErrNoWork].
func (w Work) Match(ctx context.Context, fingerprint string) error {
	return w.call.found.judge(func() error {
		if err := w.call.askAuthorize(ctx); err != nil {
			return err
		}
		return w.call.compare(fingerprint)
	})
}

// Refused returns the error with which Do is going to refuse the request, as Match has returned it,
// or nil. Work that goes on all the same must not have further effects.
func (w Work) Refused() error {
	w.call.found.mu.Lock()
	defer w.call.found.mu.Unlock()
	return w.call.found.refused
}

// Repeated tells the engine that the answer comes of an effect of an earlier attempt.
// Result.Repeated and Event.Repeated say so, and an answer over HTTP or gRPC carries the marker of
// a replay.
func (w Work) Repeated() { w.call.found.repeat() }

// Effect tells Trace of an effect, done or found done. Package effect calls it.
func (w Work) Effect(ctx context.Context, e Effect) {
	if t := w.call.engine.cfg.Trace; t != nil && t.Effect != nil {
		t.Effect(ctx, e)
	}
}

// RepeatedFrom reports whether the work that ctx belongs to has called [Work.Repeated].
func RepeatedFrom(ctx context.Context) bool {
	a, ok := ctx.Value(attemptKey{}).(*attemptContext)
	return ok && a.call.found.isRepeated()
}

// DeriveKey returns an idempotency key for a call to another service from within work: a UUID
// (version 8, RFC 9562 §5.8), the same in every attempt of the request, another for every name, and
// the SHA-256 of Redis key and name, from which the client's key can't be read. It can be guessed
// by whoever can guess scope and key. The error is [ErrNoWork], or a *ConfigError for an empty
// name.
//
// In shadow mode the key is a random one: see Work.Shadow.
func DeriveKey(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", &ConfigError{Name: "name", Want: "at least one byte"}
	}
	return derive.Key(ctx, name)
}

// findings are what the work has told the engine through its Work, from any of its goroutines.
type findings struct {
	mu       sync.Mutex
	repeated bool
	refused  error
	closed   bool // The work has returned, and its answer is being dealt with.
}

// judge keeps the first refusal. One at a time asks, since the functions of a Request are not meant
// to be called by several goroutines.
func (f *findings) judge(ask func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrNoWork
	}
	err := ask()
	if f.refused == nil {
		f.refused = err
	}
	return err
}

func (f *findings) repeat() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.repeated = true
}

func (f *findings) isRepeated() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.repeated
}

// close ends what goroutines that the work leaves behind could change, and returns what was found.
func (f *findings) close() (repeated bool, refused error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return f.repeated, f.refused
}
