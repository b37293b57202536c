package lock

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A single keeps claims on one server.
type single struct {
	server   *server
	mutexes  mutexMaker
	notifier notifier
}

var (
	errTooLate     = fmt.Errorf("%w: granted, but too late to use", ErrUnavailable)
	errBadGrant    = fmt.Errorf("%w: granted a claim that can't be read", ErrUnavailable)
	errExpiresFast = fmt.Errorf("%w: the value expires faster than it can be read", ErrUnavailable)
)

// begin asks for the key once. It asks again only if a long value expired before it was fetched:
// three times in all, which is generous for what takes a retention time to happen once.
func (s *single) begin(ctx context.Context, key string, terms Terms) (*grant, error) {
	expired := false // a value was found that has expired since
	for range 3 {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		id, asked := newLeaseID(key, newToken()), time.Now()
		r, err := s.server.begin(ctx, id, terms)
		if err == nil && r.status == statusOK {
			return s.take(ctx, id, asked, r)
		}
		if err != nil {
			if !errors.Is(err, errUnsent) {
				// It may have left our claim behind. The caller is not kept waiting for that to be
				// undone: Redis is slow, or away.
				go s.server.handBack(ctx, id)
			}
			if expired {
				err = fmt.Errorf("%w: %w", err, ErrDone)
			}
			return nil, err
		}
		fetching := ctx
		if r.status == statusDoneLong { // no other answer needs a context
			fetching = context.WithoutCancel(ctx)
		}
		if err := s.server.errorFor(fetching, key, r); err != nil {
			return nil, err
		}
		expired = true
	}
	return nil, errExpiresFast
}

// take makes a grant of what begin has replied, or hands it back.
func (s *single) take(
	ctx context.Context, id leaseID, asked time.Time, r reply,
) (*grant, error) {
	if short := s.server.unconfirmed(r); short != nil {
		s.server.handBack(ctx, id)
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, short)
	}
	if ctx.Err() != nil {
		// Won for a caller who left while the answer was on its way.
		s.server.handBack(ctx, id)
		return nil, context.Cause(ctx)
	}
	claim, ok := parseClaim(r.value)
	if !ok {
		s.server.handBack(ctx, id)
		return nil, errBadGrant
	}
	until := asked.Add(s.server.cfg.TTL - drift(s.server.cfg.TTL))
	if remaining(until, time.Now()) <= 0 {
		go s.server.handBack(ctx, id)
		return nil, errTooLate
	}
	return &grant{id: id, claim: claim, asked: asked, until: until}, nil
}

func (s *single) renew(due []*grant, until time.Time, settle func(int, renewal)) {
	b := s.server.renewals(due, until)
	b.done = func(which []int, answers []answer) {
		for n, i := range which {
			settle(i, s.renewed(due[i], answers[n]))
		}
	}
	b.run(context.Background())
}

// renewed has redsync decide what a renewal was worth. With the first one, it takes the lease on.
func (s *single) renewed(g *grant, a answer) renewal {
	switch {
	case a.err == nil && a.reply.status != statusOK, errors.Is(a.err, ErrCorrupt):
		return renewal{foreign: true, err: a.err}
	case a.err != nil:
		return renewal{err: a.err}
	}
	var err error
	if g.mutex == nil {
		g.mutex, err = s.mutexes.lock(g.id.key(), yesToLock)
	} else {
		err = extend(g.mutex, yesToRest)
	}
	if err != nil {
		return renewal{err: err}
	}
	return renewal{until: validUntil(g.mutex, a.asked)}
}

func (s *single) commit(
	ctx context.Context, g *grant, value []byte, retention time.Duration,
) (Stored, error) {
	bounded := s.server.bounded(ctx)
	defer bounded.end()
	g.openCommits.Add(1)
	r, err := s.server.run(bounded, s.server.requests.commit(g.id, value, retention))
	if err == nil || errors.Is(err, errUnsent) || errors.Is(err, ErrCorrupt) {
		g.openCommits.Add(-1)
	}
	stored, isStored := storedAs[r.status]
	if err != nil || !isStored {
		return 0, s.server.lossOf(bounded, g.id.key(), r, err)
	}
	return stored, s.server.unconfirmed(r)
}

func (s *single) end(ctx context.Context, g *grant, how ending) error {
	bounded := s.server.bounded(ctx)
	defer bounded.end()
	r, err := s.server.end(bounded, g.id, how)
	if err == nil && r.status == statusOK {
		return nil
	}
	return s.server.lossOf(bounded, g.id.key(), r, err)
}

func (s *single) subscribe(key string) *subscription { return s.notifier.subscribe(key) }

func (s *single) probes(prefix string) []*probe {
	return []*probe{{server: s.server, cfg: s.server.cfg, prefix: prefix, channels: true}}
}
