package lock

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A quorumRenewal renews leases at all members, each with pipelines of its own. A lease is extended
// or lost as soon as a majority has said so: a minority may be slower than the rest.
type quorumRenewal struct {
	quorum *quorum
	due    []*grant
	settle func(i int, r renewal)

	mu        sync.Mutex
	decisions []decision // as due
	vanished  [][]int    // for each member: whose claim has vanished from it, and is to be put back
	faults    []error    // of each member: the last one
}

// A decision is what the members have said about one lease. It is kept small: there is one for each
// lease that a process holds.
type decision struct {
	said              []said    // by each member
	asked             time.Time // of those that said yes, the earliest
	decided, extended bool      // a majority has said yes or no, and which
}

type said uint8

const (
	saidNothing said = iota
	saidYes
	saidNo
	saidFault
)

func (q *quorum) renew(due []*grant, until time.Time, settle func(int, renewal)) {
	n := len(q.members)
	r := &quorumRenewal{
		quorum:    q,
		due:       due,
		settle:    settle,
		decisions: make([]decision, len(due)),
		vanished:  make([][]int, n),
		faults:    make([]error, n),
	}
	all := make([]said, len(due)*n)
	for i := range r.decisions {
		r.decisions[i].said, all = all[:n], all[n:]
	}
	r.eachMember(func(member int) {
		b := q.members[member].renewals(due, until)
		b.done = func(which []int, answers []answer) { r.count(member, which, answers) }
		b.run(context.Background())
		r.regain(member)
	})
	r.eachMember(r.regain) // what has been decided since
	for i := range due {
		if d := &r.decisions[i]; !d.decided {
			settle(i, renewal{err: r.tally(d).undecided()})
		}
	}
}

func (r *quorumRenewal) eachMember(do func(member int)) {
	var wg sync.WaitGroup
	for i := range r.quorum.members {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

// count takes the answers of one member in.
func (r *quorumRenewal) count(member int, which []int, answers []answer) {
	for n, i := range which {
		if d, votes, first := r.vote(member, i, answers[n]); first {
			r.settle(i, d.renewal(r.due[i], votes))
		}
	}
}

// vote takes one answer in. It returns the decision with the votes so far, and whether it is this
// answer that decides.
func (r *quorumRenewal) vote(member, i int, a answer) (_ decision, votes tally, decides bool) {
	v := vote{cast: true, reply: a.reply, err: a.err}
	d := &r.decisions[i]
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case v.yes():
		d.said[member] = saidYes
		if d.asked.IsZero() || a.asked.Before(d.asked) {
			d.asked = a.asked
		}
	case v.no():
		d.said[member] = saidNo
	default:
		d.said[member] = saidFault
		r.faults[member] = a.err
	}
	if d.decided {
		if d.extended && v.no() {
			r.vanished[member] = append(r.vanished[member], i)
		}
		return *d, nil, false
	}
	votes = r.tally(d)
	d.extended = votes.yes() >= votes.majority()
	d.decided = d.extended || votes.no() >= votes.majority()
	if d.extended {
		for m, s := range d.said {
			if s == saidNo {
				r.vanished[m] = append(r.vanished[m], i)
			}
		}
	}
	return *d, votes, d.decided
}

// renewal is that of a lease of which a majority has decided. Redsync counts the votes that there
// are.
func (d decision) renewal(g *grant, votes tally) renewal {
	if !d.extended {
		return renewal{foreign: true, err: votes.undecided()}
	}
	b := newBallot(len(votes), func(member int) (reply, error) {
		return votes[member].reply, votes[member].err
	})
	if extend(g.mutex, newMutexCall(len(votes), b.cast)) != nil {
		return renewal{err: votes.undecided()}
	}
	return renewal{until: validUntil(g.mutex, d.asked)}
}

// tally gives the votes on a lease the form in which a ballot has them.
func (r *quorumRenewal) tally(d *decision) tally {
	t := make(tally, len(d.said))
	for i, s := range d.said {
		switch s {
		case saidYes:
			t[i] = vote{cast: true, reply: reply{status: statusOK}}
		case saidNo:
			t[i] = vote{cast: true, reply: reply{status: statusNotOurs}}
		case saidFault:
			t[i] = vote{cast: true, err: r.faults[i]}
		default:
			t[i] = vote{err: ErrUnavailable} // has not answered yet
		}
	}
	return t
}

// regain puts claims back at one member from which they have vanished, unless another's are there.
// Only when a majority has been extended: the lease is ours then, and nobody else's to be had.
// (Redsync's WithSetNXOnExtend doesn't wait for that, and so takes a lost lock again.)
func (r *quorumRenewal) regain(member int) {
	r.mu.Lock()
	var grants []*grant
	for _, i := range r.vanished[member] {
		if g := r.due[i]; g.isHeld() {
			grants = append(grants, g)
		}
	}
	r.vanished[member] = nil
	r.mu.Unlock()
	if len(grants) == 0 {
		return
	}
	m := r.quorum.members[member]
	// The next renewal finds what came of it.
	m.batch(regainScript, grants, func(g *grant) request {
		return m.requests.regain(g.id, g.claim, g.fences[member], g.length(m.cfg))
	}).run(context.Background())

	// What has ended a lease meanwhile may have been here first.
	ended := slices.DeleteFunc(grants, (*grant).isHeld)
	m.batch(releaseScript, ended, func(g *grant) request {
		return m.requests.handBack(g.id)
	}).run(context.Background())
}
