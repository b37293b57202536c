package lock

import (
	"context"
	"sync"
)

// renewQuorum sends the renewals of all leases as one pipeline to each deployment.
func (r *renewer) renewQuorum(due []*Lease) {
	ctx, cancel := context.WithTimeout(context.Background(), r.locker.cfg.Timeout)
	context.AfterFunc(ctx, cancel) // and not before: a minority may be slower than the rest
	batches := make([]*batch, len(r.locker.members))
	for i, m := range r.locker.members {
		batches[i] = &batch{ctx: ctx, server: &m.server, want: len(due), sent: make(chan struct{})}
	}
	var wg sync.WaitGroup
	for _, l := range due {
		wg.Go(func() { r.extendQuorum(l, batches) })
	}
	wg.Wait()
}

// extendQuorum renews one lease. Where its claim has vanished it is put back, but only when a
// majority has been extended: the lease is ours then, and nobody else's to be had. (Redsync's
// WithSetNXOnExtend doesn't wait for that, and so takes a lost lock again.)
func (r *renewer) extendQuorum(l *Lease, batches []*batch) {
	b := r.locker.ballot(batches[0].ctx, l.key, l.claim.Owner)
	lease := l.extension()
	b.ask = func(i int) (reply, error) {
		return r.locker.members[i].renew(batches[i], l.key, l.claim.Owner, lease)
	}
	extended, _ := l.mutex.ExtendContext(b)
	votes := b.settle(func(i int, v vote) {
		if extended && v.no() {
			r.regain(l, i)
		}
	})
	r.book(l, extended, votes.no() >= votes.majority(), votes.missing())
	for i, v := range votes {
		if extended && v.no() {
			go r.regain(l, i)
		}
	}
}

// regain puts the claim back in one deployment, unless another's is there.
func (r *renewer) regain(l *Lease, member int) {
	if !l.held() {
		return
	}
	m := r.locker.members[member]
	ctx, cancel := context.WithTimeout(context.Background(), r.locker.cfg.Timeout)
	defer cancel()
	fingerprint := l.claim.Fingerprint
	if fingerprint == "" {
		fingerprint = noFingerprint
	}
	args := append(regainScript.args(l.keyArg), l.ownerArg, l.extension(), m.rememberMS, fingerprint, l.claim.Attempt, l.fences[member])
	_, _ = m.server.run(ctx, regainScript, args, nil) // the next renewal finds what came of it
	if !l.held() {
		// What has ended it may have been here first.
		m.handBack(ctx, l.key, l.claim.Owner)
	}
}

// held tells whether the lease has neither been ended nor lost.
func (l *Lease) held() bool {
	s := l.State()
	return s == Live || s == Suspended
}
