package replay

import (
	"context"
	"iter"

	"github.com/reprise-go/reprise/internal/derive"
	"github.com/reprise-go/reprise/lock"
)

// An Attempt is what work can know of the grant under which it runs.
type Attempt struct {
	// Number is 1 for the first attempt, and one more for each after an attempt that failed or died:
	// what those did is unknown.
	Number int

	// Fence grows with every grant of the key. A database that has seen it can refuse writes that
	// carry a smaller one, and so those of work that lost its lease without noticing.
	Fence int64

	lease *lock.Lease
}

// State tells whether the lease is live, or its renewal is failing (lock.Suspended), or it is lost.
func (a Attempt) State() lock.State { return a.lease.State() }

// AttemptFrom returns the attempt that ctx belongs to. There is none outside the work, nor in work
// that runs without a claim.
func AttemptFrom(ctx context.Context) (Attempt, bool) {
	a, ok := ctx.Value(attemptKey{}).(*attemptContext)
	if !ok || !a.guarded() {
		return Attempt{}, false
	}
	return a.attempt, true
}

// ShadowFrom returns, inside work that Config.Shadow let run, what would have been answered in its
// place: Replayed, Reused, InProgress and so on.
func ShadowFrom(ctx context.Context) (Outcome, bool) {
	o, ok := ctx.Value(shadowKey{}).(Outcome)
	return o, ok
}

type (
	attemptKey struct{}
	shadowKey  struct{}
)

// Holds reports whether ctx is that of work which e runs under this very key, and which still holds
// it. Do with such a context would wait for its own end; it returns ErrInProgress at once instead.
func (e *Engine) Holds(ctx context.Context, scope, key string) bool {
	return ctx.Value(attemptKey{}) != nil && e.holds(ctx, e.redisKey(scope, key))
}

func (e *Engine) holds(ctx context.Context, redisKey string) bool {
	for a := range enclosingAttempts(ctx) {
		if a.call.engine == e && a.call.redisKey == redisKey && a.guarded() {
			state := a.attempt.State()
			return state == lock.Live || state == lock.Suspended
		}
	}
	return false
}

// enclosingFence returns the fence under which work that encloses ctx, of any engine, was granted a
// key of this name, or 0. Whether it is the same key, Redis has to say: the other engine may be on another Redis.
func enclosingFence(ctx context.Context, redisKey string) int64 {
	for a := range enclosingAttempts(ctx) {
		if a.call.redisKey == redisKey && a.guarded() {
			return a.attempt.Fence
		}
	}
	return 0
}

// enclosingAttempts returns the attempts that ctx is within, from the innermost outwards.
func enclosingAttempts(ctx context.Context) iter.Seq[*attemptContext] {
	return func(yield func(*attemptContext) bool) {
		for {
			a, ok := ctx.Value(attemptKey{}).(*attemptContext)
			if !ok || !yield(a) {
				return
			}
			ctx = a.Context
		}
	}
}

// An attemptContext is the context of work. Under a claim it is the lease's, and carries the attempt;
// without one the attempt is zero, and hides that of work around it.
type attemptContext struct {
	context.Context
	attempt Attempt
	call    *call
}

func (a *attemptContext) guarded() bool { return a.attempt.lease != nil }

func (a *attemptContext) Value(key any) any {
	switch key {
	case attemptKey{}:
		return a
	case derive.SourceKey{}:
		return derive.Source{RedisKey: a.call.redisKey, Shadow: a.call.engine.cfg.Shadow}
	}
	return a.Context.Value(key)
}

func (c *call) attemptContext() attemptContext {
	attempt := Attempt{Number: c.lease.Attempt(), Fence: c.lease.Fence(), lease: c.lease}
	return attemptContext{c.lease.Context(), attempt, c}
}
