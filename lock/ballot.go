package lock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	rsredis "github.com/go-redsync/redsync/v4/redis"
)

// A ballot is one question that redsync puts to every deployment of a quorum lock, each from a
// goroutine of its own, and the context that it hands to their pools. Redsync counts, and goes on as
// soon as a majority has said yes or no (WithFailFast), because a deployment that is away must not
// keep anybody waiting. What comes after that is a late vote.
type ballot struct {
	trip

	ask      func(member int) (reply, error)
	acquires bool

	mu    sync.Mutex
	votes tally
	late  func(member int, v vote) // what becomes of votes after settle; nil before
}

// A vote is what one deployment answered, or why it did not. The zero value is none yet.
type vote struct {
	cast  bool
	reply reply
	err   error
}

func (v vote) yes() bool { return v.cast && v.err == nil && v.reply.status == ok }

// no tells a deployment that refused from one that failed.
func (v vote) no() bool {
	return v.cast && (v.err == nil && v.reply.status != ok || errors.Is(v.err, ErrCorrupt))
}

// put asks one deployment.
func (b *ballot) put(member int) (bool, error) {
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

type ballotKey struct{}

// Value gives the ballot to the deployments' pools.
func (b *ballot) Value(key any) any {
	if key == (ballotKey{}) {
		return b
	}
	return b.trip.Value(key)
}

// A deployment is the redsync pool of one member of a quorum lock, by its index.
type deployment int

func (d deployment) Get(ctx context.Context) (rsredis.Conn, error) {
	b, ok := ctx.Value(ballotKey{}).(*ballot)
	if !ok {
		return nil, errors.New("lock: redsync called without a ballot")
	}
	return voter{(*conn)(&b.trip), b, int(d)}, nil
}

// A voter is the connection on which redsync asks one deployment.
type voter struct {
	*conn
	ballot *ballot
	member int
}

// SetNX runs begin.
func (v voter) SetNX(string, string, time.Duration) (bool, error) { return v.ballot.put(v.member) }

// Eval runs renew, release or abandon. Redsync also calls it to clean up after an acquiring that
// failed; that is left to undo, which knows whom it need not ask.
func (v voter) Eval(*rsredis.Script, ...any) (any, error) {
	if v.ballot.acquires {
		return int64(notOurs), nil
	}
	yes, err := v.ballot.put(v.member)
	if yes {
		return int64(ok), nil
	}
	return int64(notOurs), err
}

// A tally is the votes of all deployments, in the order of their clients.
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

// missing is the error of a ballot that came to no result.
func (t tally) missing() error {
	err := fmt.Errorf("%w: of %d deployments %d said yes and %d no", ErrUnavailable, len(t), t.yes(), t.no())
	for i, v := range t {
		if v.cast && !v.yes() && !v.no() {
			err = fmt.Errorf("%w; clients[%d]: %w", err, i, v.err)
		}
	}
	return err
}
