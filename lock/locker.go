package lock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-redsync/redsync/v4"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/internal/ratelog"
)

// A Locker grants leases. It is safe for concurrent use, and needs no closing: it keeps a
// connection and two goroutines while somebody waits for a key and for 5 s after, and a timer while
// somebody holds one.
type Locker struct {
	cfg     Config
	server  server
	redsync *redsync.Redsync
	options []redsync.Option
	renewer renewer
	waker   waker
	crowds  crowds
	log     *ratelog.Log
	members []*Locker // of a quorum lock: one for each deployment, in place of server

	// Config's times and limits as the scripts take them, boxed once.
	leaseMS, rememberMS, inline any
}

// New makes a Locker over client, which is not contacted yet (Check does that). It fails with the
// faults of cfg, all at once, and for a client that can't keep the promise: none, or a *redis.Ring,
// which moves keys to other servers as servers come and go. Options of the client that weaken the
// promise are logged as warnings, or with Config.Strict returned, each a *SettingError.
func New(client redis.UniversalClient, cfg Config) (*Locker, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	srv, err := newServer(client, cfg)
	if err != nil {
		return nil, err
	}
	l := &Locker{
		cfg:        cfg,
		server:     srv,
		redsync:    redsync.New(pool{}),
		options:    options(cfg),
		leaseMS:    cfg.TTL.Milliseconds(),
		rememberMS: cfg.Remember.Milliseconds(),
		inline:     srv.inline,
		log:        ratelog.New(cfg.Logger),
	}
	l.renewer.locker = l
	l.waker.init(srv.client)
	l.crowds.init()
	return l, nil
}

// Terms are what a caller asks for with a key. The zero value suits a plain lock.
type Terms struct {
	// Fingerprint of the request, kept in the claim: at most 128 bytes of printable ASCII
	// without spaces. While a key is remembered, it is granted again only for the same one.
	Fingerprint string

	// LeaveAbandoned: don't take over from a holder that failed; return an *AbandonedError.
	LeaveAbandoned bool

	// Scope is whom the caller asks for, such as a tenant. It bounds only how many may wait: see
	// Config.MaxWaitersPerScope.
	Scope string

	// Wait bounds how long Acquire waits for another holder. Zero means until its context ends.
	Wait time.Duration

	// Detached: the end of the caller's context ends the acquiring, but not the lease's context,
	// which still carries its values. For work that goes on when its client hangs up.
	Detached bool
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
	if l.members != nil {
		return l.tryQuorum(ctx, key, terms)
	}
	return l.tryAcquire(ctx, key, terms)
}

func (l *Locker) tryAcquire(ctx context.Context, key string, terms Terms) (*Lease, error) {
	// A long value is fetched apart, and may have expired by then: the key is asked for again.
	// Thrice is generous for something that takes a retention time to happen once.
	var expired error // that one was found
	for range 3 {
		if ctx.Err() != nil {
			return nil, failed("acquire", context.Cause(ctx))
		}
		t := &trip{Context: ctx, locker: l, terms: terms, key: key, token: newToken()}
		asked := time.Now()
		if t.reply, t.err = l.begin(t); t.err != nil {
			if !errors.Is(t.err, errUnsent) {
				// It may have left our claim behind. The caller is not kept waiting for that to be
				// undone: Redis is slow, or away.
				go l.handBack(t, t.key, t.token)
			}
			if expired != nil {
				return nil, failed("acquire", fmt.Errorf("%w: %w", t.err, expired))
			}
			return nil, failed("acquire", t.err)
		}
		if t.reply.status != ok {
			if err := l.standing(t, key, t.reply); err != nil {
				return nil, failed("acquire", err)
			}
			expired = ErrDone
			continue
		}
		if short := l.server.unconfirmed(t.reply); short != nil {
			l.handBack(ctx, t.key, t.token)
			return nil, failed("acquire", fmt.Errorf("%w: %w", ErrUnavailable, short))
		}
		if ctx.Err() != nil {
			// Won for a caller who left while the answer was on its way.
			l.handBack(ctx, t.key, t.token)
			return nil, failed("acquire", context.Cause(ctx))
		}
		mutex := l.redsync.NewMutex(key, t)
		if mutex.TryLockContext(t) != nil {
			return nil, failed("acquire", errTooLate)
		}
		// Redsync counts from when it was told of the grant, the lease from when it was asked for.
		until := mutex.Until().Add(-time.Since(asked))
		if remaining(until, time.Now()) <= 0 {
			go l.handBack(t, t.key, t.token)
			return nil, failed("acquire", errTooLate)
		}
		lease, err := newLease(ctx, t, key, mutex, asked, until)
		if err != nil {
			return nil, failed("acquire", err)
		}
		return lease, nil
	}
	return nil, failed("acquire", fmt.Errorf("%w: the value expires faster than it can be read", ErrUnavailable))
}

var errTooLate = fmt.Errorf("%w: granted, but too late to use", ErrUnavailable)

// Do waits for key, runs fn while holding it, and releases it unless fn has ended the lease itself.
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

// begin runs the begin script.
func (l *Locker) begin(t *trip) (reply, error) {
	ctx, cancel := context.WithTimeout(t, l.cfg.Timeout)
	defer cancel()
	fingerprint, takeOver := t.terms.Fingerprint, yes
	if fingerprint == "" {
		fingerprint = noFingerprint
	}
	if t.terms.LeaveAbandoned {
		takeOver = no
	}
	args := append(beginScript.args(t.key), t.token, l.leaseMS, l.rememberMS, fingerprint, takeOver, l.inline)
	return l.server.run(ctx, beginScript, args, l)
}

var yes, no any = "1", "0"

// batch is a script for many leases. Its got is for the caller to add.
func (l *Locker) batch(sc *script, leases []*Lease) *batch {
	return &batch{server: &l.server, script: sc, timeout: l.cfg.Timeout, size: len(leases), args: func(i int) []any {
		return append(sc.args(leases[i].keyArg), leases[i].ownerArg, leases[i].extension(), l.rememberMS)
	}}
}

// commit runs the commit script.
func (l *Locker) commit(ctx context.Context, key, token any, value []byte, retention time.Duration) (reply, error) {
	args := append(commitScript.args(key), token, value, retention.Milliseconds(), l.inline)
	return l.server.run(ctx, commitScript, args, nil)
}

// An ending is release or abandon, and what its holder knows.
type ending struct {
	script *script
	token  string
	lost   bool // the lease was lost before
	before bool // the holder has ended it before, by a command that may have arrived
}

// end runs release or abandon. If it finds the key another's, the lease was lost, unless the command was
// sent before: then the first sending, whose reply was lost, may have freed the key for the other.
func (l *Locker) end(ctx context.Context, e ending, key string) (reply, error) {
	token := &counted{text: e.token}
	args := append(e.script.args(key), token, l.inline, l.rememberMS)
	r, err := l.server.run(ctx, e.script, args, nil)
	if err == nil && r.status != ok && !e.lost && (e.before || token.sent.Load() > 1) {
		return reply{status: ok}, nil
	}
	return r, err
}

// handBack undoes a grant that nobody will use, or that we may hold without knowing. If it can't,
// the lease ends by itself.
func (l *Locker) handBack(ctx context.Context, key, token any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.Timeout)
	defer cancel()
	args := append(releaseScript.args(key), token, l.inline, l.rememberMS, yes)
	_, _ = l.server.run(ctx, releaseScript, args, nil)
}

// standing turns what a script found under the key into an error. It returns nil if the value was
// too long to come along and has gone since.
func (l *Locker) standing(ctx context.Context, key string, r reply) error {
	switch r.status {
	case held, abandoned:
		claim, ok := parseClaim(r.value)
		if !ok {
			return ErrCorrupt
		}
		if r.status == held {
			return &HeldError{Claim: claim, Left: time.Duration(r.left) * time.Millisecond}
		}
		return &AbandonedError{Claim: claim}
	case doneLong:
		if r.size > l.cfg.MaxValue {
			return &TooLongError{Size: r.size, Limit: l.cfg.MaxValue}
		}
		ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
		defer cancel()
		value, found, err := l.server.get(ctx, key)
		if err != nil {
			return fmt.Errorf("%w: %w", err, ErrDone) // so much Redis has said
		}
		if _, isClaim := parseClaim(value); !found || isClaim {
			return nil
		}
		r.value = value
	}
	if n := int64(len(r.value)); n > l.cfg.MaxValue {
		return &TooLongError{Size: n, Limit: l.cfg.MaxValue}
	}
	// Nobody commits an empty value or one that could be taken for a claim.
	if checkValue(r.value) != nil {
		return ErrCorrupt
	}
	return &DoneError{Value: r.value}
}
