package lock

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-redsync/redsync/v4"
)

// A store keeps the claims of a Locker: a single one on one server, a quorum on several. The end of
// ctx stops none of its calls, each of which is bounded by Config.Timeout.
type store interface {
	// begin asks for a key once. Nothing is sent any more for a caller whose ctx has ended, and
	// what was granted to one is handed back.
	begin(ctx context.Context, key string, terms Terms) (*grant, error)

	// renew extends leases, the first of which is lost at until, and tells settle what has come of
	// each, by its index: once, and from several goroutines. It returns when settle has been told of
	// all.
	renew(due []*grant, until time.Time, settle func(i int, r renewal))

	// commit puts a value under the key. Both commit and end return ErrLost if the key isn't ours
	// any more, and ErrUnavailable if nobody knows.
	commit(ctx context.Context, g *grant, value []byte, retention time.Duration) (Stored, error)

	// end releases or abandons the key.
	end(ctx context.Context, g *grant, how ending) error

	// subscribe gives notice when the key changes hands.
	subscribe(key string) *subscription

	// probes are what Check tries, one for each server.
	probes(prefix string) []*probe
}

// A grant is a claim that is ours.
type grant struct {
	id     leaseID
	claim  Claim
	fences []int64        // of a quorum lock
	mutex  *redsync.Mutex // on one server, nil before the first renewal
	asked  time.Time      // when Redis was asked for it
	until  time.Time      // when its lease ends, unless it is renewed

	// openCommits are under way, or nobody knows whether they have arrived.
	openCommits atomic.Int32

	state atomic.Uint32 // a State, kept by the renewer
}

// isHeld tells whether the lease has neither been ended nor lost.
func (g *grant) isHeld() bool {
	s := State(g.state.Load())
	return s == Live || s == Suspended
}

// length is how long a renewal may make the lease last: Config.TTL, but not past Config.MaxHold.
func (g *grant) length(cfg Config) time.Duration {
	return max(0, min(cfg.TTL, time.Until(g.asked.Add(cfg.MaxHold))))
}

// A State is what a holder can know of its lease without asking Redis.
type State uint8

const (
	Live      State = iota // held, and renewed in time
	Suspended              // renewal is failing; held until the lease runs out
	Lost                   // ran out, or was found to be another's; giving it up changes that no more
	Ended                  // committed, released or abandoned
)

// A renewal is what came of renewing a lease.
type renewal struct {
	until   time.Time // when the lease ends now; zero if it was not extended
	foreign bool      // the key is free or another's
	err     error
}

// fault says why the lease was not extended; nil if it was.
func (r renewal) fault() error {
	if r.foreign && r.err == nil {
		return ErrLost
	}
	return r.err
}

// Stored says how a commit came to be stored.
type Stored uint8

const (
	StoredNow       Stored = iota + 1 // by this call
	StoredBefore                      // by an earlier sending of it, whose reply was lost
	StoredUnclaimed                   // by this call, though the claim had vanished from Redis
)

var storedAs = map[status]Stored{
	statusOK:            StoredNow,
	statusAlreadyStored: StoredBefore,
	statusRestored:      StoredUnclaimed,
}

// batch is a script for many grants.
func (s *server) batch(sc *script, grants []*grant, build func(*grant) request) *batch {
	return &batch{
		server: s, script: sc, size: len(grants),
		key:     func(i int) string { return grants[i].id.key() },
		request: func(i int) request { return build(grants[i]) },
		done:    func([]int, []answer) {},
	}
}

// renewals are the renewals of many grants, the first of which is lost at until.
func (s *server) renewals(due []*grant, until time.Time) *batch {
	b := s.batch(renewScript, due, func(g *grant) request {
		return s.requests.renew(g.id, g.length(s.cfg))
	})
	b.until = until
	return b
}
