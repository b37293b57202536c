package lock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A Lease is the right to work under a key. It is renewed until it is ended by Commit, Release or
// Abandon, is lost, or reaches Config.MaxHold. Its methods are safe for concurrent use.
type Lease struct {
	grant   *grant
	renewer *renewer
	ctx     context.Context
	cancel  context.CancelCauseFunc

	// Guarded by the renewer's mutex, under which grant.state is written, too.
	given   bool      // its holder has given it back: by Commit, Release or Abandon
	until   time.Time // the lease counts as lost from here on, on the monotonic or the wall clock
	holdEnd time.Time // no renewal from here on; zero when the context has ended for it
	lastEnd time.Time // no renewal lets the key be held any longer
	renewAt time.Time // zero while a renewal is under way
	next    time.Time // the earliest of the three that still matter
	index   int       // in the renewer's heap, -1 outside it
}

// newLease makes the lease of a grant, and puts it under the care of the renewer.
func newLease(ctx context.Context, r *renewer, g *grant, detached bool) *Lease {
	l := &Lease{grant: g, renewer: r, until: g.until, index: -1}
	if detached {
		ctx = context.WithoutCancel(ctx)
	}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.lastEnd = g.asked.Add(r.cfg.MaxHold)
	// What was done can then still be stored, and the lease doesn't count as lost before: see
	// settleRenewal.
	l.holdEnd = l.lastEnd.Add(-max(r.cfg.Timeout, r.cfg.TTL/50))
	l.renewAt = g.asked.Add(r.cfg.Renew)
	r.cfg.Trace.granted(l)
	r.add(l)
	return l
}

// Context ends when the lease does: with cause ErrLost when it is lost, always before Redis lets
// the key go; with cause ErrMaxHold one Config.Timeout before the longest hold is over; and, unless
// Terms.Detached, with the context that the lease was acquired with.
func (l *Lease) Context() context.Context { return l.ctx }

// Fence is a number that grows with every grant of the key, for as long as the key is remembered.
// A database that has seen it refuses writes that carry a smaller one. It is 0 for a quorum lock,
// which has one for each deployment: see Fences.
func (l *Lease) Fence() int64 { return l.grant.claim.Fence }

// Fences has the fence of each deployment of a quorum lock, in the order of NewQuorum's clients,
// and 0 for those that had not granted the key when a majority had. For other locks it has Fence
// alone.
//
// Each deployment's fence grows as Fence does, by its own clock. Fences of different deployments
// can't be compared, nor is there a single number that grows: of two holders in turn, one may have
// the first and second deployment, the other the second and third. But they share at least one, and
// there the later holder's fence is greater. So a database keeps the greatest fence it has seen of
// each deployment, and refuses a write that has a smaller one, other than 0, of any.
func (l *Lease) Fences() []int64 {
	if l.grant.fences == nil {
		return []int64{l.grant.claim.Fence}
	}
	return slices.Clone(l.grant.fences)
}

// Attempt is 1 for the first holder of the key, and one more for each holder after one that failed
// or died: what those did is unknown. With a quorum lock it is at least 2 after one such holder,
// but no exact count: a deployment may have missed some of them, or the end of one that did not
// fail.
func (l *Lease) Attempt() int { return l.grant.claim.Attempt }

// Owner is the token that tells this lease from all others.
func (l *Lease) Owner() string { return l.grant.claim.Owner }

// State tells a lease whose renewal is failing (Suspended) from one that is lost.
func (l *Lease) State() State { return State(l.grant.state.Load()) }

// Commit ends the lease by putting value under the key for retention (at least 1 ms), if the key
// is still ours, or nobody's. The value must not be empty, nor longer than Config.MaxValue, and not
// begin with the letter L. It must differ from lease to lease (by containing Owner, say), so that a
// commit whose reply was lost can be told from another's.
//
// In acked mode, an *UnconfirmedError beside a Stored says that the value is stored and that too
// few replicas have confirmed it; Commit may be called again to ask them again.
//
// If the key is another's by now, it returns ErrLost together with what stands there: a
// *HeldError, *AbandonedError or *DoneError. After ErrUnavailable the lease goes on, and the
// commit may be tried again. The end of ctx doesn't stop a commit.
//
// With a quorum lock it returns ErrNoCommit, and the lease goes on: deployments that know nothing
// of each other can't keep one value between them.
func (l *Lease) Commit(ctx context.Context, value []byte, retention time.Duration) (Stored, error) {
	if err := checkValue(value); err != nil {
		return 0, fmt.Errorf("lock: commit: %w", err)
	}
	if n, most := int64(len(value)), l.renewer.cfg.MaxValue; n > most {
		return 0, fmt.Errorf("lock: commit: value: got %d bytes, want at most %d (see MaxValue)", n, most)
	}
	if retention < time.Millisecond {
		return 0, fmt.Errorf("lock: commit: retention: got %v, want at least 1ms", retention)
	}
	stored, err := l.renewer.store.commit(ctx, l.grant, value, retention)
	switch {
	case stored != 0:
		l.finish(Ended)
	case errors.Is(err, ErrLost):
		l.foundForeign()
	}
	if err != nil {
		return stored, failed("commit", err)
	}
	return stored, nil
}

// Release ends the lease and frees the key, as if it had never been held: the work left nothing
// behind. The end of ctx doesn't stop it. After ErrUnavailable the key frees itself when the lease
// runs out, and counts as abandoned.
//
// It returns ErrLost if the lease was lost before, whatever stands under the key: another may have
// worked at the same time, and have come and gone. It does what it says all the same where the key
// is still ours. It also returns ErrLost, together with what stands there as Commit does, if it
// finds the key another's. That proves no loss, and is nil, when the command was sent before, by
// this call (a redirect of a cluster counts, too) or an earlier one whose reply was lost, or a
// commit's was: the key may have been freed then, and granted to the other since, or what stands
// there is ours.
func (l *Lease) Release(ctx context.Context) error {
	return l.giveUp("release", ctx, releaseScript)
}

// Abandon ends the lease and leaves the claim to be found: the work failed, and what it did is
// unknown. The key can be taken again at once, by the next attempt. The end of ctx doesn't stop
// it. It returns ErrLost as Release does. After ErrUnavailable the lease runs out by itself.
func (l *Lease) Abandon(ctx context.Context) error {
	return l.giveUp("abandon", ctx, abandonScript)
}

func (l *Lease) giveUp(op string, ctx context.Context, sc *script) error {
	// Renewal ends first: if this command's reply is lost, nothing must keep the key held.
	lost, sentBefore := l.letGo()
	err := l.renewer.store.end(ctx, l.grant, ending{script: sc, lost: lost, sentBefore: sentBefore})
	switch {
	case errors.Is(err, ErrLost):
		l.foundForeign()
	case lost && err == nil:
		err = ErrLost
	case lost:
		err = fmt.Errorf("%w: %w", ErrLost, err)
	}
	if err != nil {
		return failed(op, err)
	}
	return nil
}

// foundForeign ends a lease whose commit, release or abandon found the key another's.
func (l *Lease) foundForeign() {
	l.finish(Lost)
	l.renewer.log.lost(foreignKey)
}

// finish takes the lease out of renewal and ends its context.
func (l *Lease) finish(s State) {
	l.renewer.remove(l, s)
	l.stop(s)
}

// stop ends the lease's context.
func (l *Lease) stop(s State) {
	if s == Lost {
		l.cancel(ErrLost)
	}
	l.cancel(context.Canceled)
}

// letGo is finish for a holder who gives the lease back. A lease that was lost by then stays lost.
// sentBefore: a command that gives it back has been sent already, and may have arrived.
func (l *Lease) letGo() (lost, sentBefore bool) {
	r := l.renewer
	r.mu.Lock()
	s := Ended
	if is := l.State(); is == Lost || is != Ended && remaining(l.until, time.Now()) <= 0 {
		s = Lost
	}
	sentBefore = l.given || l.grant.openCommits.Load() > 0
	from, held := r.drop(l, s)
	l.given = true
	r.mu.Unlock()
	l.stop(s)
	if held {
		r.cfg.Trace.ended(l, from, s)
	}
	return s == Lost, sentBefore
}

// over reports whether the holder has ended the lease, and whether it was lost before.
func (l *Lease) over() (given, lost bool) {
	l.renewer.mu.Lock()
	defer l.renewer.mu.Unlock()
	return l.given, l.State() == Lost
}
