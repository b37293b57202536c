package lock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-redsync/redsync/v4"
)

// A Lease is the right to work under a key. It is renewed until it is ended by Commit, Release or
// Abandon, is lost, or reaches Config.MaxHold. Its methods are safe for concurrent use.
type Lease struct {
	locker *Locker
	key    string
	claim  Claim
	fences []int64 // of a quorum lock
	ctx    context.Context
	cancel context.CancelCauseFunc

	keyArg, ownerArg any // key and claim.Owner, as they go into a command

	// Only the goroutine that renews calls mutex.Extend and then mutex.Until: redsync guards
	// neither against the other.
	mutex *redsync.Mutex

	commits atomic.Int32 // that are under way, or of which nobody knows whether they have arrived

	// Guarded by the renewer's mutex.
	state   State
	given   bool      // its holder has ended it: by Commit, Release or Abandon
	until   time.Time // the lease counts as lost from here on, on the monotonic or the wall clock
	holdEnd time.Time // no renewal from here on; zero when the context has ended for it
	lastEnd time.Time // no renewal lets the key be held any longer
	renewAt time.Time // zero while a renewal is under way
	next    time.Time // the earliest of the three that still matter
	index   int       // in the renewer's heap, -1 outside it
}

// A State is what a holder can know of its lease without asking Redis.
type State uint8

const (
	Live      State = iota // held, and renewed in time
	Suspended              // renewal is failing; held until the lease runs out
	Lost                   // ran out, or was found to be another's; giving it up changes that no more
	Ended                  // committed, released or abandoned
)

// newLease makes the lease of a grant that a trip has brought.
func newLease(ctx context.Context, t *trip, key string, mutex *redsync.Mutex, asked, until time.Time) (*Lease, error) {
	l := t.locker
	c, ok := parseClaim(t.reply.value)
	if !ok {
		return nil, fmt.Errorf("%w: granted a claim that can't be read", ErrUnavailable)
	}
	lease := &Lease{locker: l, key: key, claim: c, mutex: mutex, index: -1, keyArg: t.key, ownerArg: t.token}
	lease.start(ctx, t, asked, until)
	return lease, nil
}

// start puts the lease under the care of the renewer.
func (l *Lease) start(ctx context.Context, t *trip, asked, until time.Time) {
	if t.terms.Detached {
		ctx = t // which has the caller's values, and no end
	}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.until = until
	l.lastEnd = asked.Add(l.locker.cfg.MaxHold)
	// What was done can then still be stored, and the lease doesn't count as lost before: see book.
	l.holdEnd = l.lastEnd.Add(-max(l.locker.cfg.Timeout, l.locker.cfg.TTL/50))
	l.renewAt = asked.Add(l.locker.cfg.Renew)
	l.locker.renewer.add(l)
}

// Context ends when the lease does: with cause ErrLost when it is lost, always before Redis lets
// the key go; with cause ErrMaxHold one Config.Timeout before the longest hold is over; and, unless
// Terms.Detached, with the context that the lease was acquired with.
func (l *Lease) Context() context.Context { return l.ctx }

// Fence is a number that grows with every grant of the key, for as long as the key is remembered.
// A database that has seen it refuses writes that carry a smaller one. It is 0 for a quorum lock,
// which has one for each deployment: see Fences.
func (l *Lease) Fence() int64 { return l.claim.Fence }

// Fences has the fence of each deployment of a quorum lock, in the order of NewQuorum's clients, and 0
// for those that had not granted the key when a majority had. For other locks it has Fence alone.
//
// Each deployment's fence grows as Fence does, by its own clock. Fences of different deployments can't
// be compared, nor is there a single number that grows: of two holders in turn, one may have the first
// and second deployment, the other the second and third. But they share at least one, and there the
// later holder's fence is greater. So a database keeps the greatest fence it has seen of each
// deployment, and refuses a write that has a smaller one, other than 0, of any.
func (l *Lease) Fences() []int64 {
	if l.fences == nil {
		return []int64{l.claim.Fence}
	}
	return slices.Clone(l.fences)
}

// Attempt is 1 for the first holder of the key, and one more for each holder after one that
// failed or died: what those did is unknown. With a quorum lock it is at least 2 after one such holder,
// but no exact count: a deployment may have missed some of them, or the end of one that did not fail.
func (l *Lease) Attempt() int { return l.claim.Attempt }

// Owner is the token that tells this lease from all others.
func (l *Lease) Owner() string { return l.claim.Owner }

// State tells a lease whose renewal is failing (Suspended) from one that is lost.
func (l *Lease) State() State {
	r := &l.locker.renewer
	r.mu.Lock()
	defer r.mu.Unlock()
	return l.state
}

// Stored says how a commit came to be stored.
type Stored uint8

const (
	StoredNow     Stored = iota + 1 // by this call
	StoredBefore                    // by an earlier sending of it, whose reply was lost
	StoredMissing                   // by this call, though the claim had vanished from Redis
)

var storedAs = map[status]Stored{ok: StoredNow, alreadyStored: StoredBefore, restored: StoredMissing}

// Commit ends the lease by putting value under the key for retention (at least 1 ms), if the key
// is still ours, or nobody's. The value must not be empty, nor longer than
// Config.MaxValue, not begin with the letter L, and be
// different for every lease (by containing Owner, say), so that a commit whose reply was lost can
// be told from another's.
//
// In acked mode, an *UnconfirmedError beside a Stored says that the value is stored and that too few
// replicas have confirmed it; Commit may be called again to ask them again.
//
// If the key is another's by now, it returns ErrLost together with what stands there: a
// *HeldError, *AbandonedError or *DoneError. After ErrUnavailable the lease goes on, and the
// commit may be tried again. The end of ctx doesn't stop a commit.
//
// With a quorum lock it returns ErrNoCommit, and the lease goes on: deployments that know nothing of
// each other can't keep one value between them.
func (l *Lease) Commit(ctx context.Context, value []byte, retention time.Duration) (Stored, error) {
	if l.locker.members != nil {
		return 0, failed("commit", ErrNoCommit)
	}
	if err := checkValue(value); err != nil {
		return 0, fmt.Errorf("lock: commit: %w", err)
	}
	if n := int64(len(value)); n > l.locker.cfg.MaxValue {
		return 0, fmt.Errorf("lock: commit: value: got %d bytes, want at most %d (see MaxValue)", n, l.locker.cfg.MaxValue)
	}
	if retention < time.Millisecond {
		return 0, fmt.Errorf("lock: commit: retention: got %v, want at least 1ms", retention)
	}
	l.commits.Add(1)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.locker.cfg.Timeout)
	defer cancel()
	r, err := l.locker.commit(ctx, l.keyArg, l.ownerArg, value, retention)
	if err == nil || errors.Is(err, errUnsent) || errors.Is(err, ErrCorrupt) {
		l.commits.Add(-1)
	}
	stored, isStored := storedAs[r.status]
	if err != nil || !isStored {
		return 0, l.notEnded("commit", ctx, r, err)
	}
	l.finish(Ended)
	if short := l.locker.server.unconfirmed(r); short != nil {
		return stored, failed("commit", short)
	}
	return stored, nil
}

// Release ends the lease and frees the key, as if it had never been held: the work left nothing
// behind. The end of ctx doesn't stop it. After ErrUnavailable the key frees itself when the lease
// runs out, and counts as abandoned.
//
// It returns ErrLost if the lease was lost before, whatever stands under the key: another may have
// worked at the same time, and have come and gone. It does what it says all the same where the key is
// still ours. It also returns ErrLost, together with what stands there as Commit does, if it finds the
// key another's. That proves no loss, and is nil, when the command was sent before, by this call (a
// redirect of a cluster counts, too) or an earlier one whose reply was lost, or a commit's was: the key
// may have been freed then, and granted to the other since, or what stands there is ours.
func (l *Lease) Release(ctx context.Context) error {
	return l.giveUp("release", ctx, releaseScript)
}

// Abandon ends the lease and leaves the claim to be found: the work failed, and what it did is
// unknown. The key can be taken again at once, by the next attempt. The end of ctx doesn't stop
// it. It returns ErrLost as Release does. After ErrUnavailable the lease runs out by itself.
func (l *Lease) Abandon(ctx context.Context) error {
	return l.giveUp("abandon", ctx, abandonScript)
}

func (l *Lease) giveUp(op string, ctx context.Context, s *script) error {
	// Renewal ends first: a key that is given up must not be held by an answer that got lost.
	lost, before := l.letGo()
	e := ending{script: s, token: l.claim.Owner, lost: lost, before: before}
	var err error
	if l.locker.members != nil {
		err = l.endQuorum(op, ctx, e)
	} else {
		t := &trip{Context: ctx, locker: l.locker, end: &e}
		bounded, cancel := context.WithTimeout(t, l.locker.cfg.Timeout)
		defer cancel()
		if ok, _ := l.mutex.UnlockContext(bounded); !ok {
			err = l.notEnded(op, bounded, t.reply, t.err)
		}
	}
	switch {
	case !lost || errors.Is(err, ErrLost):
		return err
	case err == nil:
		return failed(op, ErrLost)
	}
	return fmt.Errorf("%w: %w", failed(op, ErrLost), err)
}

// notEnded says why an ending call did not do what it should.
func (l *Lease) notEnded(op string, ctx context.Context, r reply, err error) error {
	if err == nil {
		err = l.locker.standing(ctx, l.key, r)
		if err == nil {
			err = ErrUnavailable // another's value, gone while it was fetched
		}
	}
	if errors.Is(err, ErrUnavailable) {
		return failed(op, err)
	}
	l.finish(Lost)
	l.locker.logLost(anothers)
	return failed(op, fmt.Errorf("%w: %w", ErrLost, err))
}

// finish takes the lease out of renewal and ends its context.
func (l *Lease) finish(s State) {
	l.locker.renewer.remove(l, s)
	l.stop(s)
}

// stop ends the lease's context.
func (l *Lease) stop(s State) {
	if s == Lost {
		l.cancel(ErrLost)
	}
	l.cancel(context.Canceled)
}

// letGo is finish for a holder who gives the lease up. It says whether the lease was lost by then, which
// it stays, and whether it has been given up, or committed, before, as far as anybody can know.
func (l *Lease) letGo() (lost, before bool) {
	r := &l.locker.renewer
	r.mu.Lock()
	s := Ended
	if l.state == Lost || l.state != Ended && remaining(l.until, time.Now()) <= 0 {
		s = Lost
	}
	before = l.given || l.commits.Load() > 0
	r.drop(l, s)
	l.given = true
	r.mu.Unlock()
	l.stop(s)
	return s == Lost, before
}

// over reports whether the holder has ended the lease, and whether it was lost before.
func (l *Lease) over() (given, lost bool) {
	r := &l.locker.renewer
	r.mu.Lock()
	defer r.mu.Unlock()
	return l.given, l.state == Lost
}

// extension is how long a renewal may make the lease last, in milliseconds: TTL, but not past MaxHold.
func (l *Lease) extension() any {
	if left := time.Until(l.lastEnd); left < l.locker.cfg.TTL {
		return max(left.Milliseconds(), 0)
	}
	return l.locker.leaseMS
}

// checkValue accepts what can be told from a claim and from nothing.
func checkValue[T ~string | ~[]byte](value T) error {
	if len(value) == 0 || value[0] == 'L' {
		return errors.New("value: want at least one byte, and not the letter L first")
	}
	return nil
}

// remaining is how long a lease lasts yet: the lesser of what the monotonic and the wall clock say.
// The monotonic clock stands still while the machine is suspended, the wall clock may be set back.
func remaining(until, now time.Time) time.Duration {
	return min(until.Sub(now), until.Round(0).Sub(now.Round(0)))
}
