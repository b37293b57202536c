package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/internal/fault"
	"github.com/reprise-go/reprise/internal/jitter"
	"github.com/reprise-go/reprise/lock"
)

// commit stores the answer, and only then lets the caller have it.
func (c *call) commit(ctx context.Context, done workResult) (Result, error) {
	r := c.encode(ctx, done.answer)
	if r.value == nil {
		return c.unstorable(ctx, r.err)
	}
	retention := cmp.Or(done.answer.Retention, c.engine.cfg.Retention)
	stored, err := c.store(ctx, r.value, retention)
	switch {
	case err == nil, errors.Is(err, lock.ErrUnconfirmed) && stored != 0:
		return c.answerStored(r, done.reconciled, stored, err)
	case errors.Is(err, lock.ErrLost):
		return c.answerLate(ctx, err)
	case errors.Is(err, lock.ErrUnavailable):
		return c.answerUnstored(ctx, err)
	}
	return c.unstorable(ctx, err) // a retention that Redis can't have
}

// An encodedAnswer is an answer as a record.
type encodedAnswer struct {
	value     []byte
	tombstone bool
	err       error // why it is a tombstone, if that is the work's mistake; or why there is no value
}

// encode makes a record of an answer. One that is too large to be read back becomes a tombstone, and so
// does, with an error, one that can't be encoded: the work has been done and must not run again.
func (c *call) encode(ctx context.Context, a Answer) encodedAnswer {
	h := cache.Header{Owner: c.lease.Owner(), Fence: c.lease.Fence(), Fingerprint: c.req.Fingerprint,
		Origin: c.origin(ctx)}
	var mistake error
	if a.Verdict == Keep {
		value, err := c.codec.Encode(c.redisKey, h, a.Value)
		if err == nil {
			return encodedAnswer{value: value}
		}
		if !errors.Is(err, cache.ErrTooLarge) {
			mistake = err
		}
	}
	h.Tombstone = true
	value, err := c.codec.Encode(c.redisKey, h, nil)
	if err != nil {
		return encodedAnswer{err: err}
	}
	return encodedAnswer{value: value, tombstone: true, err: mistake}
}

// store commits, again and again until the hold ends: the work is done, and forgetting it means
// doing it twice.
//
// A Redis that is silent keeps no lease alive, and so ends the hold by itself. One that answers and
// refuses (it is full, or read-only, or lacks a right) does renew the lease, and would keep the caller
// waiting for as long as the longest hold. So its refusal is final when one lease has passed since the
// first: most of what cures itself, as a failover does, has done so by then.
func (c *call) store(ctx context.Context, value []byte, retention time.Duration) (lock.Stored, error) {
	var firstRefused time.Time
	for pause := storeAgainFirst; ; pause = min(2*pause, storeAgainMost) {
		last := c.lease.Context().Err() != nil || c.engine.cfg.Shadow // shadow mode keeps nobody waiting
		stored, err := c.lease.Commit(ctx, value, retention)
		if !errors.Is(err, lock.ErrUnavailable) || last {
			return stored, err
		}
		if fault.Refused(err) {
			if firstRefused.IsZero() {
				firstRefused = time.Now()
			}
			if time.Since(firstRefused) >= c.engine.cfg.Lock.TTL {
				return stored, err
			}
		}
		c.engine.logFault(logWaits, err)
		if t := c.engine.cfg.Trace; t != nil && t.CommitFailed != nil {
			t.CommitFailed(ctx, err)
		}
		timer := time.NewTimer(pause/2 + jitter.N(pause/2))
		select {
		case <-timer.C:
		case <-c.lease.Context().Done(): // one last try, which may still find the key ours
		}
		timer.Stop()
	}
}

// How long to wait between tries to store an answer. Half of each pause is random.
const (
	storeAgainFirst = 50 * time.Millisecond
	storeAgainMost  = time.Second
)

// answerStored answers with what is stored. An unconfirmed answer is given, too: it is what a retry
// gets, and withholding it would bring it no nearer to the replicas.
func (c *call) answerStored(r encodedAnswer, reconciled bool, stored lock.Stored, unconfirmed error) (Result, error) {
	c.event.Outcome, c.event.Vanished = Stored, stored == lock.StoredUnclaimed
	result := c.ranResult()
	result.Stored = !r.tombstone
	if unconfirmed != nil {
		c.event.Outcome, result.Unconfirmed = Unconfirmed, true
		c.engine.logFault(logForgotten, unconfirmed)
	}
	if reconciled && !r.tombstone {
		// The caller's work has not run, so the caller has no value yet: it gets one as from any record.
		var err error
		result.record, err = c.codec.Open(c.redisKey, string(r.value))
		result.Reconciled = err == nil
		return result, err
	}
	return result, r.err
}

// answerUnstored answers with what Redis has not stored, or withholds it, as the policy says.
func (c *call) answerUnstored(ctx context.Context, err error) (Result, error) {
	if fault.Refused(err) {
		_ = c.giveUp(ctx, Abandon) // Redis answers, and may allow this: one that is full does
	} else {
		go func() { _ = c.giveUp(ctx, Abandon) }() // Redis is away, and has kept the caller long enough
	}
	c.event.Outcome = NotStored
	c.engine.logFault(logNotStored, err)
	if c.engine.cfg.OnCommitDown == WithholdUnstored {
		return c.ranResult(), fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return c.ranResult(), nil
}

// unstorable abandons the key of an answer that can't be stored, and returns err.
func (c *call) unstorable(ctx context.Context, err error) (Result, error) {
	c.event.Outcome = Failed
	_ = c.giveUp(ctx, Abandon)
	return c.ranResult(), err
}
