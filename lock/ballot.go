package lock

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// A ballot is one question that redsync puts to every member of a quorum, each from a goroutine of
// its own. Redsync counts, and goes on as soon as a majority has said yes or no, because a member
// that is away must not keep anybody waiting. What comes after that is a late vote.
type ballot struct {
	ask func(member int) (reply, error)

	mu    sync.Mutex
	votes tally
	late  func(member int, v vote) // what becomes of votes after settle; nil before
}

func newBallot(members int, ask func(member int) (reply, error)) *ballot {
	return &ballot{ask: ask, votes: make(tally, members)}
}

// A vote is what one member answered, or why it did not. The zero value is none yet.
type vote struct {
	cast  bool
	reply reply
	err   error
}

func (v vote) yes() bool { return v.cast && v.err == nil && v.reply.status == statusOK }

// no tells a member that refused from one that failed.
func (v vote) no() bool {
	return v.cast && (v.err == nil && v.reply.status != statusOK || errors.Is(v.err, ErrCorrupt))
}

// cast asks one member, and returns what redsync is told of it.
func (b *ballot) cast(member int) (bool, error) {
	v := vote{cast: true}
	v.reply, v.err = b.ask(member)
	b.mu.Lock()
	late := b.late
	if late == nil {
		b.votes[member] = v
	}
	b.mu.Unlock()
	if late != nil {
		late(member, v)
	}
	if v.no() {
		return false, nil // an error would be no answer, to redsync
	}
	return v.yes(), v.err
}

// count returns the votes that have been cast.
func (b *ballot) count() tally {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.votes)
}

// settle returns the votes that have been cast. Those to come go to late, on goroutines of their
// own.
func (b *ballot) settle(late func(member int, v vote)) tally {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.late = late
	return b.votes
}

// A tally is the votes of all members, in the order of their clients.
type tally []vote

func (t tally) yes() (n int) {
	for _, v := range t {
		if v.yes() {
			n++
		}
	}
	return n
}

func (t tally) no() (n int) {
	for _, v := range t {
		if v.no() {
			n++
		}
	}
	return n
}

// majority is redsync's quorum.
func (t tally) majority() int { return len(t)/2 + 1 }

// undecided is the error of a ballot that came to no result.
func (t tally) undecided() error {
	err := fmt.Errorf("%w: of %d deployments %d said yes and %d no",
		ErrUnavailable, len(t), t.yes(), t.no())
	for i, v := range t {
		if v.cast && !v.yes() && !v.no() {
			err = fmt.Errorf("%w; clients[%d]: %w", err, i, v.err)
		}
	}
	return err
}
