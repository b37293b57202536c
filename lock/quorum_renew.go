package lock

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A quorumRenewal renews leases in all deployments, each with pipelines of its own. A lease is
// extended or lost as soon as a majority has said so: a minority may be slower than the rest.
type quorumRenewal struct {
	renewer *renewer
	due     []*Lease

	mu      sync.Mutex
	leases  []extension // as due
	regains [][]int     // for each deployment: whose claim has vanished from it, and is to be put back
	faults  []error     // of each deployment: the last one
}

// An extension is what the deployments have said about one lease.
type extension struct {
	votes           []said    // of each deployment
	asked           time.Time // of those that said yes, the earliest
	decided, extend bool      // a majority has said yes or no, and which
}

type said uint8

const (
	nothing said = iota
	failure
	yea
	nay
)

// renewQuorum renews leases of a quorum lock.
func (r *renewer) renewQuorum(due []*Lease) {
	members := r.locker.members
	q := &quorumRenewal{
		renewer: r,
		due:     due,
		leases:  make([]extension, len(due)),
		regains: make([][]int, len(members)),
		faults:  make([]error, len(members)),
	}
	votes := make([]said, len(due)*len(members))
	for i := range q.leases {
		q.leases[i].votes, votes = votes[:len(members)], votes[len(members):]
	}
	q.eachMember(func(member int) {
		b := members[member].batch(renewScript, due)
		b.got = func(which []int, answers []answer) { q.count(member, which, answers) }
		b.send(context.Background())
		q.regain(member)
	})
	q.eachMember(q.regain) // what has been decided since
	for i, l := range due {
		if e := &q.leases[i]; !e.decided {
			r.book(l, false, time.Time{}, false, q.tally(e).missing())
		}
	}
}

func (q *quorumRenewal) eachMember(do func(member int)) {
	var wg sync.WaitGroup
	for i := range q.renewer.locker.members {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

// count takes the answers of one deployment in.
func (q *quorumRenewal) count(member int, which []int, answers []answer) {
	for n, i := range which {
		l, e, a := q.due[i], &q.leases[i], answers[n]
		v := vote{cast: true, reply: a.reply, err: a.err}
		q.mu.Lock()
		switch {
		case v.yes():
			e.votes[member] = yea
			if e.asked.IsZero() || a.asked.Before(e.asked) {
				e.asked = a.asked
			}
		case v.no():
			e.votes[member] = nay
		default:
			e.votes[member] = failure
			q.faults[member] = a.err
		}
		votes := q.tally(e)
		first := !e.decided
		if first {
			e.extend = votes.yes() >= votes.majority()
			e.decided = e.extend || votes.no() >= votes.majority()
		}
		switch {
		case !e.extend:
		case first:
			for m, v := range e.votes {
				if v == nay {
					q.regains[m] = append(q.regains[m], i)
				}
			}
		case v.no():
			q.regains[member] = append(q.regains[member], i)
		}
		decided, extend, asked := first && e.decided, e.extend, e.asked
		q.mu.Unlock()
		if decided {
			q.book(l, votes, extend, asked)
		}
	}
}

// book books a lease of which a majority has decided. Redsync counts the votes that there are.
func (q *quorumRenewal) book(l *Lease, votes tally, extend bool, asked time.Time) {
	var (
		extended bool
		until    time.Time
		err      error
	)
	if extend {
		b := q.renewer.locker.ballot(context.Background(), l.key, l.claim.Owner)
		b.ask = func(member int) (reply, error) { return votes[member].reply, votes[member].err }
		extended, until, _ = l.extend(b, asked)
	}
	if !extended {
		err = votes.missing()
	}
	q.renewer.book(l, extended, until, !extend, err)
}

// tally gives the votes on a lease the form in which a ballot has them.
func (q *quorumRenewal) tally(e *extension) tally {
	t := make(tally, len(e.votes))
	for i, v := range e.votes {
		switch v {
		case yea:
			t[i] = vote{cast: true, reply: reply{status: ok}}
		case nay:
			t[i] = vote{cast: true, reply: reply{status: notOurs}}
		case failure:
			t[i] = vote{cast: true, err: q.faults[i]}
		default:
			t[i] = vote{err: ErrUnavailable} // has not answered yet
		}
	}
	return t
}

// regain puts claims back in one deployment from which they have vanished, unless another's are there.
// Only when a majority has been extended: the lease is ours then, and nobody else's to be had.
// (Redsync's WithSetNXOnExtend doesn't wait for that, and so takes a lost lock again.)
func (q *quorumRenewal) regain(member int) {
	q.mu.Lock()
	var leases []*Lease
	for _, i := range q.regains[member] {
		if l := q.due[i]; l.held() {
			leases = append(leases, l)
		}
	}
	q.regains[member] = nil
	q.mu.Unlock()
	if len(leases) == 0 {
		return
	}
	m := q.renewer.locker.members[member]
	b := m.batch(regainScript, leases)
	renewArgs := b.args
	b.args = func(i int) []any {
		c := leases[i].claim
		fingerprint := c.Fingerprint
		if fingerprint == "" {
			fingerprint = noFingerprint
		}
		return append(renewArgs(i), fingerprint, c.Attempt, leases[i].fences[member])
	}
	b.got = func([]int, []answer) {} // the next renewal finds what came of it
	b.send(context.Background())

	// What has ended a lease meanwhile may have been here first.
	ended := slices.DeleteFunc(leases, (*Lease).held)
	b = m.batch(releaseScript, ended)
	b.args = func(i int) []any {
		return append(releaseScript.args(ended[i].keyArg), ended[i].ownerArg, m.inline, m.rememberMS, yes)
	}
	b.got = func([]int, []answer) {}
	b.send(context.Background())
}

// held tells whether the lease has neither been ended nor lost.
func (l *Lease) held() bool {
	s := l.State()
	return s == Live || s == Suspended
}
