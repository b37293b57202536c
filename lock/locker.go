package lock

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/internal/ratelog"
)

// A Locker grants leases. It is safe for concurrent use, and needs no closing: it keeps a
// connection and two goroutines while somebody waits for a key and for 5 s after, a timer while
// somebody holds one, and two goroutines for each node while a crowd's scripts wait for a pipeline.
type Locker struct {
	cfg     Config
	store   store
	renewer renewer
	waiters waiters
}

// New makes a Locker over client, which is not contacted yet (Check does that). It fails with the
// faults of cfg, all at once, and for a client that can't keep the promise: none, or a *redis.Ring,
// which moves keys to other servers as servers come and go. Options of the client that weaken the
// promise are logged as warnings, or with Config.Strict returned, each a *SettingError.
func New(client redis.UniversalClient, cfg Config) (*Locker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	cfg = cfg.WithDefaults()
	srv, err := newServer(client, cfg)
	if err != nil {
		return nil, err
	}
	s := &single{server: srv, mutexes: newMutexMaker(cfg, 1)}
	s.notifier.init(srv.client)
	return newLocker(cfg, s), nil
}

// NewQuorum makes a Locker over independent deployments of Redis, one client for each: a key is
// held by whoever a majority of them grants it to, so that leases survive a minority that is down.
// The package comment says what such a lock promises, and what it doesn't.
//
// It fails with all faults at once: those of cfg, clients that New would refuse, a number of
// clients that isn't odd and at least 3 (an even number stands no more losses than the odd one
// below it), and a client that is given twice. That different clients lead to different
// deployments, which share neither machines nor power, is for the caller to see to.
func NewQuorum(clients []redis.UniversalClient, cfg Config) (*Locker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	cfg = cfg.WithDefaults()
	var faults []error
	if n := len(clients); n < 3 || n%2 == 0 {
		faults = append(faults, &ConfigError{
			Name: "clients", Value: fmt.Sprint(n), Want: "an odd number, at least 3"})
	}
	q := &quorum{cfg: cfg, mutexes: newMutexMaker(cfg, len(clients))}
	for i, client := range clients {
		name := fmt.Sprintf("clients[%d]", i)
		first := slices.IndexFunc(clients, func(c redis.UniversalClient) bool { return same(c, client) })
		member, err := newServer(client, cfg)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		} else if first >= 0 && first < i { // -1 for a client that can't be compared
			faults = append(faults, &ConfigError{
				Name: name, Value: fmt.Sprintf("clients[%d]", first), Want: "a client of another deployment"})
		}
		q.members = append(q.members, member)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return newLocker(cfg, q), nil
}

// same tells whether two clients are one, of whatever type they are.
func same(a, b redis.UniversalClient) bool {
	v, w := reflect.ValueOf(a), reflect.ValueOf(b)
	return v.IsValid() && w.IsValid() && v.Type() == w.Type() && v.Comparable() && v.Equal(w)
}

func newLocker(cfg Config, s store) *Locker {
	l := &Locker{cfg: cfg, store: s}
	l.renewer.cfg, l.renewer.store = cfg, s
	l.renewer.log = leaseLog{ratelog.New(cfg.Logger)}
	l.waiters.init()
	return l
}

// TryAcquire asks for key once, in one round trip (of a quorum lock: one to each deployment, all at
// once). The lease is the caller's until it calls Commit, Release or Abandon. The key is the Redis
// key, as it stands.
//
// It returns a *HeldError, *AbandonedError or *DoneError if another stands in the way,
// ErrCorrupt if something foreign does, and otherwise ErrUnavailable. The end of ctx is not
// waited out: a round trip under way goes on for at most Config.Timeout, and a lease that was
// won for a caller who has gone is handed back.
func (l *Locker) TryAcquire(ctx context.Context, key string, terms Terms) (*Lease, error) {
	if err := checkKey(key, terms); err != nil {
		return nil, err
	}
	g, err := l.store.begin(ctx, key, terms)
	if err != nil {
		return nil, failed("acquire", err)
	}
	return newLease(ctx, &l.renewer, g, terms.Detached), nil
}

// Do waits for key, runs fn while holding it, and releases it, also if fn returns an error, unless fn
// has ended the lease itself (by lease.Abandon, say, which tells the next holder). Before fn runs, its
// errors are those of Acquire.
//
// fn's context ends when the lease is lost, with cause ErrLost; Do then returns ErrLost beside fn's
// own error, for another may have run at the same time. If fn panics, the key is abandoned: the
// next holder is told.
func (l *Locker) Do(ctx context.Context, key string, fn func(context.Context, *Lease) error) error {
	lease, err := l.Acquire(ctx, key, Terms{})
	if err != nil {
		return err
	}
	returned := false
	defer func() {
		if !returned {
			_ = lease.Abandon(ctx)
		}
	}()
	err = fn(lease.Context(), lease)
	returned = true
	var lost error
	if given, wasLost := lease.over(); !given {
		lost = lease.Release(ctx)
	} else if wasLost {
		lost = failed("do", ErrLost)
	}
	if errors.Is(lost, ErrLost) {
		return errors.Join(lost, err)
	}
	// A release that did not arrive is no fault of the work's: the lease ends by itself.
	return err
}
