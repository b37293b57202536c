package lock

import (
	"context"
	"errors"
	"time"

	"github.com/go-redsync/redsync/v4"
	rsredis "github.com/go-redsync/redsync/v4/redis"
)

// Redsync decides when a lock counts as won (in time, and by its quorum), draws the owner token
// and bounds each call. What it says to Redis goes through the pool and conn of this file, which
// run our scripts in place of its own SET NX and EVAL.
//
// Begin is asked before, on the caller's goroutine, and only a grant goes through redsync, which then
// finds it won. Redsync would ask from a goroutine of its own, whose two switches cost as much as a
// third of a round trip (measured on loopback: a replay takes 1.7 times the bare script's time that
// way and 1.05 this way), and after a "no" it would send a script to clean up: a second round trip for
// each conflict and replay. Renewals are asked for before, too, many in a pipeline, and go through redsync
// one after the other when their answers are in.
//
// Redsync's interface has no room for what the scripts answer, and its errors can't tell a
// conflict from a timeout. Both travel on the context instead, in a trip.

// A trip is one passage through redsync, and the context that redsync hands to pool.Get. It
// carries the caller's values but not its end: a call that is cut short leaves behind who knows
// what, so every call has a timeout of its own instead.
type trip struct {
	context.Context

	locker *Locker
	terms  Terms // begin: what is asked for
	key    any   // the key and the owner token, as they go into a command
	token  any

	end   *ending // release or abandon
	asked bool    // renew: Redis has been asked, and reply is what it answered

	reply reply // what Redis answered,
	err   error // or why it did not

	bounded context.Context // what redsync gave to pool.Get: the trip with a timeout around it
}

func (t *trip) Deadline() (time.Time, bool) { return time.Time{}, false }
func (t *trip) Done() <-chan struct{}       { return nil }
func (t *trip) Err() error                  { return nil }

type tripKey struct{}

// Value gives the trip to our pool, through whatever contexts redsync has put around it.
func (t *trip) Value(key any) any {
	if key == (tripKey{}) {
		return t
	}
	return t.Context.Value(key)
}

// pool is the redsync pool of every Locker: all that a conn needs comes with the context.
type pool struct{}

func (pool) Get(ctx context.Context) (rsredis.Conn, error) {
	t, ok := ctx.Value(tripKey{}).(*trip)
	if !ok {
		return nil, errors.New("lock: redsync called without a trip")
	}
	t.bounded = ctx
	return (*conn)(t), nil
}

// conn runs one trip's scripts. A trip makes one call at a time, so it is its own connection.
type conn trip

// SetNX reports the grant that the trip has brought.
func (c *conn) SetNX(string, string, time.Duration) (bool, error) { return c.reply.status == ok, nil }

// Eval reports the renewal that the trip has brought, or runs release or abandon. Redsync also calls
// it to clean up after a grant that came too late to use.
func (c *conn) Eval(_ *rsredis.Script, keysAndArgs ...any) (any, error) {
	t := (*trip)(c)
	key, token := keysAndArgs[0].(string), keysAndArgs[1].(string)
	switch {
	case t.asked:
	case t.end != nil:
		t.reply, t.err = t.locker.end(t.bounded, *t.end, key)
	default:
		go t.locker.handBack(t, key, token)
		return int64(notOurs), nil
	}
	if t.err == nil && t.reply.status == ok {
		return int64(ok), nil
	}
	return int64(notOurs), t.err
}

func (c *conn) Close() error { return nil }

// The rest of redsync's interface serves calls that this package doesn't make.

func (c *conn) Get(string) (string, error)         { return "", errors.ErrUnsupported }
func (c *conn) Set(string, string) (bool, error)   { return false, errors.ErrUnsupported }
func (c *conn) ScriptLoad(*rsredis.Script) error   { return errors.ErrUnsupported }
func (c *conn) PTTL(string) (time.Duration, error) { return 0, errors.ErrUnsupported }

// Apply makes the trip the option of its mutex, whose value is the token that begin was asked with.
func (t *trip) Apply(m *redsync.Mutex) {
	for _, o := range t.locker.options {
		o.Apply(m)
	}
	redsync.WithGenValueFunc(t.value).Apply(m)
}

func (t *trip) value() (string, error) { return t.token.(string), nil }

// options are those of every mutex. DriftFactor × expiry is taken off a lease's validity, in case
// Redis's clock runs ahead of ours.
func options(cfg Config) []redsync.Option {
	return []redsync.Option{
		redsync.WithExpiry(cfg.TTL),
		redsync.WithTries(1),
		redsync.WithDriftFactor(0.01),
	}
}
