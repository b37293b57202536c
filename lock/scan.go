package lock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Scan says which keys Locker.Scan looks at, and how fast.
type Scan struct {
	// Prefix is what the Redis keys begin with. Empty means all of the database.
	Prefix string

	// Rate bounds how many keys of the database are walked in a second, those of other programs
	// included. Zero means 20,000; Unbounded is as fast as Redis answers.
	Rate int

	// Sample ends at each primary after so many keys of the prefix. They are the first in the order
	// of Redis's hash table, which is none for names that are digests. Zero means all.
	Sample int

	// Head is how many of a value's first bytes are read, as by Inspect.
	Head int

	// Want tells which keys are reported. Nil wants all.
	Want func(Sight) bool

	// Progress is told how far the scan is, after each step of a hundred keys or so. It must not block.
	Progress func(Progress)
}

// Unbounded is the Rate of a scan that doesn't spare Redis.
const Unbounded = -1

// Progress says how far a scan is.
type Progress struct {
	Node   string // the primary that is being walked
	Seen   int64  // keys of the prefix so far; some again if their node was walked again
	Walked int64  // keys of the database so far: about so many, and Total in the end if no node fails
	Total  int64  // keys of all primaries, when the scan began
}

const (
	defaultRate = 20_000
	// stepKeys is how many keys a step walks: SCAN and then one pipeline of scripts. A hundred
	// scripts hold a node's other clients up for about a millisecond (9 µs each on Redis 7.0.15).
	stepKeys = 100
	// maxReported bounds what a scan remembers of what it has reported, which takes 35 to 56 bytes a key.
	maxReported = 4 << 20
	// maxScanRounds bounds how often a scan goes back for slots that have moved.
	maxScanRounds = 16
	// maxStepTries is how often a step is tried that has no reply, a second apart, and maxNodeTries how
	// often a node is walked of which one has failed, or which has restarted.
	maxStepTries = 3
	maxNodeTries = 2
)

// ErrMoving: slots have moved, or one was nobody's, for as long as the scan went on, and some keys may not
// have been seen.
var ErrMoving = errors.New("slots keep moving between nodes, or have no owner")

// Scan walks the keys of all primaries, node after node, and looks at each key of the prefix as
// Inspect does. It changes nothing. A key that stands there from the beginning to the end is reported,
// also while slots move or a replica takes over: the scan goes back to nodes that have got slots
// meanwhile. What comes, goes or changes during the scan may be reported or not.
//
// A key is reported once, for the first 4,194,304 that are; for them the scan keeps 35 to 56 bytes each.
// (A slot that goes away and comes back between two lists of the nodes, which are read before and after
// each node's walk, is not noticed.)
//
// An error beside a zero Sight is a *NodeError for a node that could not be asked, in several tries, and
// whose keys have not all been seen; the scan goes on with the others unless the loop ends. Others are the
// last: the cause of ctx, ErrMoving, ErrUnavailable if there is no list of nodes to begin or to end with,
// a *ConfigError, ErrNoNodes and, for a quorum lock, ErrNoInspect. Redis has to allow SCAN, GETRANGE,
// DBSIZE, INFO and, in a cluster, CLUSTER NODES beside what a Locker needs.
func (l *Locker) Scan(ctx context.Context, scan Scan) iter.Seq2[Sight, error] {
	return func(yield func(Sight, error) bool) {
		s, isSingle := l.store.(*single)
		var err error
		switch {
		case !isSingle:
			err = ErrNoInspect
		case scan.Rate < Unbounded:
			err = &ConfigError{Name: "Rate", Value: fmt.Sprint(scan.Rate), Want: "keys a second, at least 1, or Unbounded"}
		case scan.Sample < 0:
			err = &ConfigError{Name: "Sample", Value: fmt.Sprint(scan.Sample), Want: "keys, at least 0"}
		}
		if err == nil {
			w := newWalk(s.server, scan, l.headOf(scan.Head), yield)
			defer w.close()
			err = w.run(ctx)
		}
		if err != nil && err != errBroken {
			yield(Sight{}, failed("scan", err))
		}
	}
}

// errBroken says that the loop over a scan has ended.
var errBroken = errors.New("the loop has ended")

// pattern matches what begins with a text.
func pattern(prefix string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(prefix) + "*"
}

// A pace keeps to a rate. Time that is lost isn't made up for.
type pace struct {
	rate int // keys a second, or Unbounded
	next time.Time
}

// wait waits until it is time for so many keys. It reports whether ctx goes on.
func (p *pace) wait(ctx context.Context, keys int) bool {
	if p.rate == Unbounded {
		return ctx.Err() == nil
	}
	now := time.Now()
	early := max(0, p.next.Sub(now))
	p.next = now.Add(early + time.Duration(keys)*time.Second/time.Duration(p.rate))
	return pause(ctx, early)
}

// A page is what one step of SCAN gives.
type page struct {
	keys []string
	next uint64 // the cursor
}

func (s *server) page(ctx context.Context, node *redis.Client, cursor uint64, match string) (page, error) {
	return askNode(ctx, s, node, func(ctx context.Context) (page, error) {
		keys, next, err := node.Scan(ctx, cursor, match, stepKeys).Result()
		return page{keys, next}, err
	})
}

// look inspects keys, in pipelines and wherever they have moved to. Beside an error it returns what it has
// seen of the others.
func (s *server) look(ctx context.Context, keys []string, head int64) (seen []Sight, err error) {
	sights := make([]Sight, len(keys))
	errs := make([]error, len(keys))
	b := &batch{
		server: s, script: inspectScript, size: len(keys),
		key:     func(i int) string { return keys[i] },
		request: func(i int) request { return s.requests.inspect(keys[i], head) },
		done: func(which []int, answers []answer) {
			for n, i := range which {
				switch a := answers[n]; {
				case a.err != nil:
					errs[i] = a.err
				case a.reply.seen == nil:
					errs[i] = errOddReply
				default:
					sights[i] = a.reply.seen.of(keys[i])
				}
			}
		},
	}
	b.run(ctx)
	for i, sight := range sights {
		if errs[i] == nil {
			seen = append(seen, sight)
		}
		err = cmp.Or(err, errs[i])
	}
	return seen, err
}
