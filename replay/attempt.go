package replay

import (
	"context"

	"github.com/reprise-go/reprise/lock"
)

// An Attempt is what work can know of the grant that it runs under.
type Attempt struct {
	// Number is 1 for the first, and one more for each after an attempt that failed or died: what
	// those did is unknown.
	Number int

	// Fence grows with every grant of the key. A database that has seen it refuses writes that
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
	if !ok || a.engine == nil {
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

// Holds reports whether ctx is that of work which e runs under this very key, and which holds it yet. To
// ask for the key again in there would be to wait for one's own end: Do returns ErrInProgress at once.
func (e *Engine) Holds(ctx context.Context, scope, key string) bool {
	return ctx.Value(attemptKey{}) != nil && e.holds(ctx, e.key(scope, key))
}

func (e *Engine) holds(ctx context.Context, key string) bool {
	for { // outwards, from work within work
		a, ok := ctx.Value(attemptKey{}).(*attemptContext)
		if !ok {
			return false
		}
		if a.engine == e && a.key == key {
			state := a.attempt.State()
			return state == lock.Live || state == lock.Suspended
		}
		ctx = a.Context
	}
}

// attemptContext is a lease's context that carries its attempt; or, without an engine, that of work that
// runs without a claim, perhaps within work that has one.
type attemptContext struct {
	context.Context
	attempt Attempt
	engine  *Engine
	key     string // in Redis
}

func (a *attemptContext) Value(key any) any {
	if key == (attemptKey{}) {
		return a
	}
	return a.Context.Value(key)
}

func (p *passage) attemptOf(lease *lock.Lease) attemptContext {
	attempt := Attempt{Number: lease.Attempt(), Fence: lease.Fence(), lease: lease}
	return attemptContext{lease.Context(), attempt, p.engine, p.key}
}

// heldAround returns the fence by which work that ctx is in was granted a key, under whichever engine, or 0. Whether it
// is the same key, Redis has to say: the other engine may have another.
func heldAround(ctx context.Context, key string) int64 {
	for {
		a, ok := ctx.Value(attemptKey{}).(*attemptContext)
		if !ok {
			return 0
		}
		if a.key == key {
			return a.attempt.Fence
		}
		ctx = a.Context
	}
}
