package lock

import (
	"context"
	"errors"
	"time"

	"github.com/go-redsync/redsync/v4"
	rsredis "github.com/go-redsync/redsync/v4/redis"
)

// Redsync decides when a lock counts as granted, extended and released: by its quorum, and in time.
// What it says to Redis goes through the pool and connection of this file, which answer with what
// our scripts have answered, in place of its own SET NX and EVAL.
//
// On one server, a majority is its answer alone, and Redis is asked before, on the caller's
// goroutine. Redsync would ask from a goroutine of its own, whose two switches cost as much as
// a third of a round trip (measured on loopback: a replay takes 1.7 times the bare script's time that
// way and 1.05 this way), and after a "no" to a lock it would send a script to clean up: a second round
// trip for each conflict and replay. It takes a lease on when that is renewed for the first time: most
// leases end before, and to tell it of each would take a fifth of the CPU of a first request (measured:
// 131 µs and 106 µs; the goroutine wakes another processor). Renewals are asked for many in a pipeline,
// and go through redsync one after the other when their answers are in.
//
// Redsync's interface has no place for what the scripts answer, and its errors can't tell a conflict
// from a timeout. So the caller of a mutexCall keeps the script's reply and error itself, and tells
// redsync a yes or a no only.

// An ask returns one member's answer: of a quorum, or of the only server.
type ask func(member int) (yes bool, err error)

// A mutexCall is one call of a redsync.Mutex: what redsync is told by each member, which it asks
// once. It is also the context by which the pool that redsync calls finds it again; it has no
// values besides and no end, as what ask does is bounded by itself.
type mutexCall struct {
	context.Context
	ask   ask
	conns []mutexConn // one for each member
	locks bool        // any Eval is redsync's clean-up of a lock that failed, which is the caller's to do
}

func newMutexCall(members int, ask ask) *mutexCall {
	c := &mutexCall{Context: context.Background(), ask: ask, conns: make([]mutexConn, members)}
	for i := range c.conns {
		c.conns[i] = mutexConn{call: c, member: i}
	}
	return c
}

// newLockCall makes the call of a lock.
func newLockCall(members int, ask ask) *mutexCall {
	c := newMutexCall(members, ask)
	c.locks = true
	return c
}

// What redsync is told of the first renewal and of later ones, to which the only server has said yes.
// They keep nothing of the call, so one of each serves all.
var (
	yesToLock = newLockCall(1, yes)
	yesToRest = newMutexCall(1, yes)
)

func yes(int) (bool, error) { return true, nil }

type mutexCallKey struct{}

// Value gives the call to its pools, through whatever contexts redsync has put around it.
func (c *mutexCall) Value(key any) any {
	if key == (mutexCallKey{}) {
		return c
	}
	return nil
}

// A mutexMaker makes the redsync mutexes of one Locker.
type mutexMaker struct {
	redsync *redsync.Redsync
	options []redsync.Option
}

// driftFactor × expiry is taken off a lease's validity, in case Redis's clock runs ahead of ours. It
// is redsync's own default.
const driftFactor = 0.01

func drift(expiry time.Duration) time.Duration {
	return time.Duration(float64(expiry) * driftFactor)
}

// newMutexMaker makes one for so many members. Redsync goes on as soon as a majority has said yes
// or no.
func newMutexMaker(cfg Config, members int) mutexMaker {
	pools := make([]rsredis.Pool, members)
	for i := range pools {
		pools[i] = mutexPool(i)
	}
	return mutexMaker{redsync.New(pools...), []redsync.Option{
		redsync.WithExpiry(cfg.TTL),
		redsync.WithTries(1),
		redsync.WithDriftFactor(driftFactor),
		redsync.WithFailFast(true),
		redsync.WithGenValueFunc(func() (string, error) { return "", nil }), // our scripts carry the token
	}}
}

// lock makes a mutex and locks it. It fails when a majority doesn't say yes, or so late that the
// lease is over. What was granted then is the caller's to hand back.
func (m mutexMaker) lock(key string, call *mutexCall) (*redsync.Mutex, error) {
	mutex := m.redsync.NewMutex(key, m.options...)
	return mutex, mutex.TryLockContext(call)
}

// extend extends a mutex. Every ask must return at once, with an answer that is there already:
// redsync starts a goroutine for each member and each call, so the leases of a batch go through it
// one after the other, and one that waited would hold up the rest.
func extend(mutex *redsync.Mutex, call *mutexCall) error {
	extended, err := mutex.ExtendContext(call)
	if !extended && err == nil {
		err = redsync.ErrExtendFailed
	}
	return err
}

// unlock unlocks a mutex, and reports whether a majority said yes.
func unlock(mutex *redsync.Mutex, call *mutexCall) bool {
	unlocked, _ := mutex.UnlockContext(call)
	return unlocked
}

// validUntil is when a lease ends. Redsync counts from when it was told of the grant or the
// renewal, the lease from when Redis was asked for it.
func validUntil(mutex *redsync.Mutex, asked time.Time) time.Time {
	return mutex.Until().Add(-time.Since(asked))
}

// remaining is how long a lease lasts yet: the lesser of what the monotonic and the wall clock say.
// The monotonic clock stands still while the machine is suspended, the wall clock may be set back.
func remaining(until, now time.Time) time.Duration {
	return min(until.Sub(now), until.Round(0).Sub(now.Round(0)))
}

// A mutexPool is the redsync pool of one member, by its index.
type mutexPool int

// Get finds the call that redsync makes.
func (p mutexPool) Get(ctx context.Context) (rsredis.Conn, error) {
	call, ok := ctx.Value(mutexCallKey{}).(*mutexCall)
	if !ok {
		return nil, errors.New("lock: redsync called without a mutexCall")
	}
	return &call.conns[p], nil
}

// A mutexConn is the connection on which redsync asks one member.
type mutexConn struct {
	call   *mutexCall
	member int
}

// SetNX locks.
func (c *mutexConn) SetNX(string, string, time.Duration) (bool, error) {
	return c.call.ask(c.member)
}

// Eval extends or unlocks.
func (c *mutexConn) Eval(*rsredis.Script, ...any) (any, error) {
	if c.call.locks {
		return int64(0), nil
	}
	yes, err := c.call.ask(c.member)
	if yes {
		return int64(1), nil
	}
	return int64(0), err
}

// Close does nothing: there is no real connection.
func (c *mutexConn) Close() error { return nil }

// The rest of redsync's interface serves calls that this package doesn't make.

func (c *mutexConn) Get(string) (string, error)         { return "", errors.ErrUnsupported }
func (c *mutexConn) Set(string, string) (bool, error)   { return false, errors.ErrUnsupported }
func (c *mutexConn) ScriptLoad(*rsredis.Script) error   { return errors.ErrUnsupported }
func (c *mutexConn) PTTL(string) (time.Duration, error) { return 0, errors.ErrUnsupported }
