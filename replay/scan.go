package replay

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/lock"
)

// A Scan says which entries Engine.Scan reports, and how fast it looks for them. The zero value is for
// all that stands under keys of the engine's.
type Scan struct {
	Prefix string // in place of Config.Prefix

	States       []KeyState    // of entries that are wanted; empty means all
	LeastAge     time.Duration // Entry.Age; what has no fence has no age
	LeastAttempt int           // Entry.Attempt; a record doesn't keep its attempt

	// Sample ends at each primary after so many keys, of whatever state. Zero means all.
	Sample int

	// Rate bounds how many keys of the database are walked in a second, those of other programs
	// included. Zero means 20,000; lock.Unbounded is as fast as Redis answers.
	Rate int

	// Progress is told how far the scan is, after each step of a hundred keys or so, on the loop's
	// goroutine. It must not block.
	Progress func(lock.Progress)
}

func (s *Scan) wants(e Entry) bool {
	return (len(s.States) == 0 || slices.Contains(s.States, e.State)) &&
		e.Age >= s.LeastAge && e.Attempt >= s.LeastAttempt
}

// Scan walks the keys of all primaries, node after node, and reports each entry that is wanted. It
// changes nothing, and an entry that stands there from the beginning to the end is reported once, also
// while slots move; see [lock.Locker.Scan] for the whole promise, and for what it takes.
//
// An error beside a zero Entry that is a *lock.NodeError names a node that could not be asked: not all
// of its entries have been seen. The scan goes on with the others unless the loop ends. Others are the
// last: the cause of ctx, ErrUnavailable, lock.ErrMoving, and a *ConfigError.
func (e *Engine) Scan(ctx context.Context, scan Scan) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, s := range scan.States {
			if !slices.Contains(s.Words(), s) {
				yield(Entry{}, &ConfigError{Name: "States", Value: fmt.Sprintf("%q", string(s)), Want: fmt.Sprint(s.Words())})
				return
			}
		}
		sweep := lock.Scan{
			Prefix: cmp.Or(scan.Prefix, e.cfg.Prefix) + ":", Rate: scan.Rate, Sample: scan.Sample,
			Head: cache.MaxHeader, Progress: scan.Progress,
			Want: func(seen lock.Sight) bool { return scan.wants(e.entryOf(seen)) },
		}
		for seen, err := range e.locker.Scan(ctx, sweep) {
			if err != nil {
				if !yield(Entry{}, e.operatorError(err)) {
					return
				}
			} else if !yield(e.entryOf(seen), nil) {
				return
			}
		}
	}
}

// Nodes asks all primaries how they are; see [lock.Locker.Nodes].
func (e *Engine) Nodes(ctx context.Context) ([]lock.Node, error) {
	nodes, err := e.locker.Nodes(ctx)
	if err != nil {
		return nil, e.operatorError(err)
	}
	return nodes, nil
}
