package lock

import (
	"context"
	"slices"
	"time"
)

// refusal says why there was no majority for a key.
func (q *quorum) refusal(ctx context.Context, key string, votes tally) error {
	switch yes, no := votes.yes(), votes.no(); {
	case yes >= votes.majority():
		return errTooLate
	case yes+no < votes.majority():
		return votes.undecided()
	}
	return q.obstacle(ctx, key, votes)
}

// obstacle says what stands in the way of a majority, which has answered: a holder, or rivals
// without whom we would have it; else an abandoned claim, else a value.
func (q *quorum) obstacle(ctx context.Context, key string, votes tally) error {
	if e := heldBy(votes); e != nil {
		return e
	}
	rank := func(v vote) status {
		if v.err != nil {
			return statusDoneLong + 1
		}
		return v.reply.status
	}
	first := -1
	for i, v := range votes {
		if v.no() && rank(v) != statusHeld && (first < 0 || rank(v) < rank(votes[first])) {
			first = i
		}
	}
	switch {
	case first < 0:
		return ErrCorrupt // what says that it is held can't be read
	case votes[first].err != nil:
		return votes[first].err
	}
	err := q.members[first].errorFor(context.WithoutCancel(ctx), key, votes[first].reply)
	if err == nil {
		err = errExpiresFast
	}
	return err
}

// heldBy names the owner with most members, and the time until leases that stand in the way of a
// majority run out. It returns nil if none do.
func heldBy(votes tally) *HeldError {
	e := &HeldError{}
	var left []int64
	owners := map[string]int{}
	for _, v := range votes {
		c, readable := parseClaim(v.reply.value)
		if !v.no() || v.reply.status != statusHeld || !readable {
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
