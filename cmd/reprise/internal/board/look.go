package board

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A sight is what a board knows of its Redis.
type sight struct {
	nodes  []lock.Node
	noList error     // why nodes is old
	asked  time.Time // for nodes, or in vain

	last  *walk                   // the last that came to its end
	fault error                   // what has ended the one after it
	now   *walk                   // the one under way; a copy
	again map[string]replay.Entry // by Redis key: rows that were looked at since
}

// isNew tells whether figures are there that need no waiting for.
func (s *sight) isNew(interval time.Duration) bool {
	recent := 2*interval + time.Second
	if time.Since(s.asked) > recent {
		return false
	}
	return s.noList != nil || s.fault != nil || s.last != nil && (time.Since(s.last.ended) < recent || s.now != nil)
}

// askNodes asks how the nodes are; and, of a walk that takes longer than a look, looks again at the
// rows that are shown.
func (b *Board) askNodes(ctx context.Context) {
	nodes, err := b.engine.Nodes(ctx)
	if ctx.Err() != nil {
		return
	}
	var again map[string]replay.Entry
	if b.isLong() {
		again = b.lookAgain(ctx)
	}
	b.change(func(s *sight) {
		s.asked, s.noList = time.Now(), err
		if err == nil {
			s.nodes = nodes
		}
		maps.Copy(s.again, again)
	})
}

// isLong tells whether a walk is under way that began before the last look.
func (b *Board) isLong() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen.now != nil && time.Since(b.seen.now.begun) > b.cfg.Interval
}

// lookAgain looks at what is in flight and abandoned, as far as it is shown, a few at once.
func (b *Board) lookAgain(ctx context.Context) map[string]replay.Entry {
	b.mu.Lock()
	shown := b.seen.rows(replay.KeyClaimed)
	shown = append(shown, b.seen.rows(replay.KeyAbandoned)...)
	b.mu.Unlock()

	var mu sync.Mutex
	again := map[string]replay.Entry{}
	work := make(chan row)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for r := range work {
				if e, err := b.engine.InspectDigest(ctx, r.Digest); err == nil {
					e.Node = r.Node
					mu.Lock()
					again[r.Key] = e
					mu.Unlock()
				}
			}
		})
	}
	for _, r := range shown {
		if r.Digest != "" && !r.Stale {
			work <- r
		}
	}
	close(work)
	wg.Wait()
	return again
}

// walkOn walks all keys, again and again.
func (b *Board) walkOn(ctx context.Context) {
	for ctx.Err() == nil {
		b.walkOnce(ctx)
		rest(ctx, b.cfg.Interval)
	}
	b.mu.Lock()
	b.seen.now = nil
	b.mu.Unlock()
}

func (b *Board) walkOnce(ctx context.Context) {
	b.mu.Lock()
	w := newWalk(b.seen.last)
	b.mu.Unlock()
	var fault error
	shown := w.begun
	scan := replay.Scan{Rate: b.cfg.Rate, Progress: func(p lock.Progress) {
		w.progress = p
		if time.Since(shown) >= b.cfg.Interval {
			shown = time.Now()
			copied := w.copied()
			b.change(func(s *sight) { s.now = copied })
		}
	}}
	for e, err := range b.engine.Scan(ctx, scan) {
		node, isNode := errors.AsType[*lock.NodeError](err)
		switch {
		case ctx.Err() != nil:
			return
		case isNode:
			w.missed(node.Addr, node.Err)
		case err != nil:
			fault = err
		default:
			w.add(e)
		}
	}
	w.ended, w.before = time.Now(), nil
	b.change(func(s *sight) {
		s.now, s.again, s.fault = nil, map[string]replay.Entry{}, fault
		if fault == nil || errors.Is(fault, lock.ErrMoving) { // otherwise the figures of before stay, with their age
			s.last = w
		}
	})
}

// shards are what is known of each node: of the last walk, or of the first, as far as it is.
func (s *sight) shards() map[string]*shard {
	switch {
	case s.last != nil:
		return s.last.shards
	case s.now != nil:
		return s.now.shards
	}
	return nil
}

// rows are the oldest of a state, by the last walk and by what is known since.
func (s *sight) rows(state replay.KeyState) []row {
	all := map[string]row{}
	for _, w := range []*walk{s.last, s.now} {
		if w == nil {
			continue
		}
		for _, shard := range w.shards {
			for _, l := range shard.oldest {
				for _, r := range l.rows {
					all[r.Key] = r
				}
			}
		}
	}
	for _, r := range all {
		if e, known := s.again[r.Key]; known && e.At.After(r.At) {
			all[r.Key] = rowOf(e)
		}
	}
	maps.DeleteFunc(all, func(_ string, r row) bool { return r.State != state })
	rows := slices.SortedFunc(maps.Values(all), older)
	return rows[:min(len(rows), maxRows)]
}
