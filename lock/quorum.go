package lock

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/go-redsync/redsync/v4"
	rsredis "github.com/go-redsync/redsync/v4/redis"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/internal/ratelog"
)

// NewQuorum makes a Locker over independent deployments of Redis, one client for each: a key is held
// by whoever a majority of them grants it to, so that leases survive a minority that is down. The
// package comment says what such a lock promises, and what it doesn't.
//
// It fails with all faults at once: those of cfg, clients that New would refuse, a number of clients
// that isn't odd and at least 3 (an even number stands no more losses than the odd one below it), and
// a client that is given twice. That different clients lead to different deployments, which share
// neither machines nor power, is for the caller to see to.
func NewQuorum(clients []redis.UniversalClient, cfg Config) (*Locker, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	var faults []error
	if n := len(clients); n < 3 || n%2 == 0 {
		faults = append(faults, &ConfigError{Name: "clients", Value: fmt.Sprint(n), Want: "an odd number, at least 3"})
	}
	l := &Locker{cfg: cfg, log: ratelog.New(cfg.Logger), leaseMS: cfg.TTL.Milliseconds(), options: append(options(cfg), redsync.WithFailFast(true))}
	l.crowds.init()
	var pools []rsredis.Pool
	for i, client := range clients {
		member, err := New(client, cfg)
		name := fmt.Sprintf("clients[%d]", i)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		} else if first := slices.IndexFunc(clients[:i], func(c redis.UniversalClient) bool { return same(c, client) }); first >= 0 {
			faults = append(faults, &ConfigError{Name: name, Value: fmt.Sprintf("clients[%d]", first),
				Want: "a client of another deployment"})
		}
		l.members = append(l.members, member)
		pools = append(pools, deployment(i))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	l.redsync = redsync.New(pools...)
	l.renewer.locker = l
	return l, nil
}

// same tells whether two clients are one, of whatever type they are.
func same(a, b redis.UniversalClient) bool {
	v, w := reflect.ValueOf(a), reflect.ValueOf(b)
	return v.IsValid() && w.IsValid() && v.Type() == w.Type() && v.Comparable() && v.Equal(w)
}

// tryQuorum asks all deployments for key at once.
func (l *Locker) tryQuorum(ctx context.Context, key string, terms Terms) (*Lease, error) {
	if ctx.Err() != nil {
		return nil, failed("acquire", context.Cause(ctx))
	}
	b := l.ballot(ctx, key, newToken())
	b.terms, b.acquires = terms, true
	b.ask = func(i int) (reply, error) {
		m := l.members[i]
		r, err := m.begin(&b.trip)
		if err != nil || r.status != ok {
			return r, err
		}
		if short := m.server.unconfirmed(r); short != nil {
			return reply{}, fmt.Errorf("%w: %w", ErrUnavailable, short)
		}
		if _, readable := parseClaim(r.value); !readable {
			return reply{}, fmt.Errorf("%w: granted a claim that can't be read", ErrUnavailable)
		}
		return r, nil
	}
	asked := time.Now()
	mutex := l.redsync.NewMutex(key, b)
	won := mutex.TryLockContext(b) == nil
	votes := b.count()
	var err error
	switch {
	case !won:
		if err = l.refusal(b, key, votes); errors.Is(err, errUnsent) && ctx.Err() != nil {
			err = context.Cause(ctx) // it was the caller who left the queue
		}
	case ctx.Err() != nil:
		// Won for a caller who left while the answers were on their way.
		err = context.Cause(ctx)
	case remaining(mutex.Until(), time.Now()) <= 0:
		err = errTooLate // says the wall clock
	default:
		claim, fences := granted(votes)
		lease := &Lease{locker: l, key: key, claim: claim, fences: fences, mutex: mutex, index: -1, keyArg: key, ownerArg: b.token}
		lease.start(ctx, &b.trip, asked, mutex.Until())
		b.settle(func(i int, v vote) {
			// What else is granted adds to the lease, unless that has ended before.
			if !lease.held() {
				l.undo(b, i, v)
			}
		})
		return lease, nil
	}
	l.undoAll(b)
	return nil, failed("acquire", err)
}

// ballot makes a ballot about a key. Its ask is for the caller to add.
func (l *Locker) ballot(ctx context.Context, key, token string) *ballot {
	return &ballot{
		trip:  trip{Context: ctx, locker: l, key: key, token: token},
		votes: make(tally, len(l.members)),
	}
}

// granted sums up the grants of a majority. Every two majorities have a deployment in common: that
// is how a holder learns of the one before.
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

// undoAll gives back whatever an acquiring that failed may have been granted, now or later. It waits
// for deployments that have just answered, so that a caller who tries again doesn't meet himself.
func (l *Locker) undoAll(b *ballot) {
	var wg sync.WaitGroup
	for i, v := range b.settle(func(i int, v vote) { l.undo(b, i, v) }) {
		switch {
		case v.yes():
			wg.Go(func() { l.undo(b, i, v) })
		case v.cast:
			go l.undo(b, i, v)
		}
	}
	wg.Wait()
}

// undo gives back what one deployment has granted, or may have: nobody has worked under it. One that
// said no, or was never asked, need not be asked again.
func (l *Locker) undo(b *ballot, member int, v vote) {
	if !v.no() && !errors.Is(v.err, errUnsent) {
		l.members[member].handBack(b, b.key, b.token)
	}
}

// refusal says why there was no majority.
func (l *Locker) refusal(ctx context.Context, key string, votes tally) error {
	switch yes, no := votes.yes(), votes.no(); {
	case yes >= votes.majority():
		return errTooLate
	case yes+no < votes.majority():
		return votes.missing()
	}
	return l.obstacle(ctx, key, votes)
}

// obstacle says what stands in the way of a majority, which has answered: a holder, or rivals without
// whom we would have it; else an abandoned claim, else a value.
func (l *Locker) obstacle(ctx context.Context, key string, votes tally) error {
	if e := heldBy(votes); e != nil {
		return e
	}
	rank := func(v vote) status {
		if v.err != nil {
			return doneLong + 1
		}
		return v.reply.status
	}
	first := -1
	for i, v := range votes {
		if v.no() && rank(v) != held && (first < 0 || rank(v) < rank(votes[first])) {
			first = i
		}
	}
	switch {
	case first < 0:
		return ErrCorrupt // what says that it is held can't be read
	case votes[first].err != nil:
		return votes[first].err
	}
	if err := l.members[first].standing(ctx, key, votes[first].reply); err != nil {
		return err
	}
	return fmt.Errorf("%w: the value expires faster than it can be read", ErrUnavailable)
}

// heldBy names the owner with most deployments, and the time until leases that stand in the way of a
// majority run out. It returns nil if none do.
func heldBy(votes tally) *HeldError {
	e := &HeldError{}
	var left []int64
	owners := map[string]int{}
	for _, v := range votes {
		c, readable := parseClaim(v.reply.value)
		if !v.no() || v.reply.status != held || !readable {
			continue
		}
		left = append(left, v.reply.left)
		owners[c.Owner]++
		if owners[c.Owner] > owners[e.Claim.Owner] {
			e.Claim = c
		}
	}
	// Those that did not answer may be his.
	silent := len(votes) - votes.yes() - votes.no()
	e.split = owners[e.Claim.Owner]+silent < votes.majority()
	needed := votes.majority() - votes.yes()
	if len(left) == 0 || e.split && len(left) < needed {
		return nil
	}
	slices.Sort(left)
	e.Left = time.Duration(left[min(needed, len(left))-1]) * time.Millisecond
	return e
}

// endQuorum releases or abandons the lease everywhere.
func (l *Lease) endQuorum(op string, ctx context.Context, e ending) error {
	b := l.locker.ballot(ctx, l.key, l.claim.Owner)
	b.ask = func(i int) (reply, error) {
		ctx, cancel := context.WithTimeout(b, l.locker.cfg.Timeout)
		defer cancel()
		return l.locker.members[i].end(ctx, e, l.key)
	}
	if done, _ := l.mutex.UnlockContext(b); done {
		return nil
	}
	votes := b.count()
	if votes.no() < votes.majority() {
		return failed(op, votes.missing())
	}
	l.finish(Lost)
	l.locker.logLost(anothers)
	return failed(op, fmt.Errorf("%w: %w", ErrLost, l.locker.obstacle(b, l.key, votes)))
}
