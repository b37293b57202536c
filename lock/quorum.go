package lock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A quorum keeps claims on several servers, its members: a key is held by whoever a majority of
// them grants it to.
type quorum struct {
	cfg     Config
	members []*server
	mutexes mutexMaker
}

// begin asks all members for a key at once.
func (q *quorum) begin(ctx context.Context, key string, terms Terms) (*grant, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	id, asked := newLeaseID(key, newToken()), time.Now()
	b := newBallot(len(q.members), func(member int) (reply, error) {
		return beginAt(ctx, q.members[member], id, terms)
	})
	// undo gives back what one member has granted, or may have: nobody has worked under it. One
	// that said no, or was never asked, need not be asked again.
	undo := func(member int, v vote) {
		if !v.no() && !errors.Is(v.err, errUnsent) {
			q.members[member].handBack(ctx, id)
		}
	}
	mutex, err := q.mutexes.lock(key, newLockCall(len(q.members), b.cast))
	votes := b.count()
	switch {
	case err != nil:
		if err = q.refusal(ctx, key, votes); errors.Is(err, errUnsent) && ctx.Err() != nil {
			err = context.Cause(ctx) // it was the caller who left the queue
		}
	case ctx.Err() != nil:
		// Won for a caller who left while the answers were on their way.
		err = context.Cause(ctx)
	case remaining(mutex.Until(), time.Now()) <= 0:
		err = errTooLate // says the wall clock
	default:
		claim, fences := granted(votes)
		g := &grant{id: id, claim: claim, fences: fences, mutex: mutex,
			asked: asked, until: mutex.Until()}
		b.settle(func(member int, v vote) {
			// What else is granted adds to the lease, unless that has ended before.
			if !g.isHeld() {
				undo(member, v)
			}
		})
		return g, nil
	}
	undoAll(b, undo)
	return nil, err
}

// beginAt asks one member for a key.
func beginAt(ctx context.Context, m *server, id leaseID, terms Terms) (reply, error) {
	r, err := m.begin(ctx, id, terms)
	if err != nil || r.status != statusOK {
		return r, err
	}
	if short := m.unconfirmed(r); short != nil {
		return reply{}, fmt.Errorf("%w: %w", ErrUnavailable, short)
	}
	if _, readable := parseClaim(r.value); !readable {
		return reply{}, errBadGrant
	}
	return r, nil
}

// granted sums up the grants of a majority. Every two majorities have a member in common: that is
// how a holder learns of the one before.
func granted(votes tally) (claim Claim, fences []int64) {
	fences = make([]int64, len(votes))
	for i, v := range votes {
		if !v.yes() {
			continue
		}
		c, _ := parseClaim(v.reply.value)
		fences[i] = c.Fence
		if c.Attempt > claim.Attempt {
			claim = c
		}
	}
	claim.Fence = 0 // no single number grows: see Lease.Fences
	return claim, fences
}

// undoAll gives back whatever an acquiring that failed may have been granted, now or later. It
// waits for members that have just answered, so that a caller who tries again doesn't meet himself.
func undoAll(b *ballot, undo func(member int, v vote)) {
	var wg sync.WaitGroup
	for i, v := range b.settle(undo) {
		switch {
		case v.yes():
			wg.Go(func() { undo(i, v) })
		case v.cast:
			go undo(i, v)
		}
	}
	wg.Wait()
}

// commit fails: members that know nothing of each other can't keep one value between them.
func (q *quorum) commit(context.Context, *grant, []byte, time.Duration) (Stored, error) {
	return 0, ErrNoCommit
}

// end releases or abandons the key at all members.
func (q *quorum) end(ctx context.Context, g *grant, how ending) error {
	b := newBallot(len(q.members), func(member int) (reply, error) {
		m := q.members[member]
		bounded := m.bounded(ctx)
		defer bounded.end()
		return m.end(bounded, g.id, how)
	})
	if unlock(g.mutex, newMutexCall(len(q.members), b.cast)) {
		return nil
	}
	votes := b.count()
	if votes.no() < votes.majority() {
		return votes.undecided()
	}
	return fmt.Errorf("%w: %w", ErrLost, q.obstacle(ctx, g.id.key(), votes))
}

// subscribe gives no notice: those who wait for a quorum lock ask again and again.
func (q *quorum) subscribe(key string) *subscription { return newSubscription(key) }

func (q *quorum) probes(prefix string) (all []*probe) {
	for _, m := range q.members {
		all = append(all, &probe{server: m, cfg: q.cfg, prefix: prefix})
	}
	return all
}
