package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A figure is what one operation of a contender costs.
type figure struct {
	time     time.Duration // by which all callers together had done it
	cpu      time.Duration // of this process, not of Redis
	allocs   float64
	p50, p99 time.Duration // that its caller waited
}

// A row is what contenders are compared at.
type row struct {
	op      string // first, replay or conflict
	callers int
}

// measure lets contenders take turns, and returns the figures of each one's rounds.
func (b *bench) measure(ctx context.Context, s *site, all []contender, r row) ([]results, error) {
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	turns := make([]*turns, len(all))
	for i, c := range all {
		var err error
		if turns[i], err = b.newTurns(ctx, c, r); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		defer turns[i].end()
	}
	measured := make([]results, len(all))
	for round := range b.rounds {
		sums := make([]sum, len(all))
		for turn := range b.inRound {
			for i := range all {
				i = (i + round + turn) % len(all) // nobody always goes first
				if err := turns[i].take(ctx, s, &sums[i]); err != nil {
					return nil, fmt.Errorf("%s: %w", all[i].name, err)
				}
			}
		}
		for i := range sums {
			measured[i] = append(measured[i], sums[i].figure())
		}
	}
	return measured, nil
}

// turns are those of one contender at one row.
type turns struct {
	row
	contender
	keys   []string // of replays and conflicts, in the state that is to be found
	n      int      // operations in a turn
	serial int      // of the next fresh key
	end    func()
}

// newTurns puts keys into the state that the row's operation is to find, and finds out how many
// operations fit into a turn; that warms up, too.
func (b *bench) newTurns(ctx context.Context, c contender, r row) (*turns, error) {
	t := &turns{row: r, contender: c, n: 2 * b.least * max(16, r.callers), end: func() {}}
	// Every caller has keys of its own, since the naive composition takes its lock even to read, and
	// would meet its own conflicts; and the nodes of a cluster have their share.
	if r.op != "first" {
		for i := range r.callers * ((63 + r.callers) / r.callers) {
			t.keys = append(t.keys, fmt.Sprint(r.op, "-", i))
		}
	}
	var err error
	switch r.op {
	case "replay":
		first := c.ready(ctx, "first", t.keys)
		for i := range t.keys {
			if err = first(i); err != nil {
				return nil, err
			}
		}
	case "conflict":
		if t.end, err = c.hold(ctx, t.keys); err != nil {
			return nil, err
		}
	}
	var warm sum
	if err := t.run(ctx, &warm); err != nil {
		t.end()
		return nil, err
	}
	t.n = max(b.least*r.callers, int(b.perTurn/warm.figure().time))
	return t, nil
}

func (t *turns) take(ctx context.Context, s *site, sum *sum) error {
	if t.op == "first" { // Redis is as full for all
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	return t.run(ctx, sum)
}

// run is one turn.
func (t *turns) run(ctx context.Context, sum *sum) error {
	keys := make([]string, t.n)
	for i := range keys {
		if t.op == "first" {
			keys[i] = strconv.Itoa(t.serial + i)
			continue
		}
		caller, turn := i%t.callers, i/t.callers
		keys[i] = t.keys[(caller+t.callers*turn)%len(t.keys)]
	}
	t.serial += t.n
	return sum.run(t.n, t.callers, t.ready(ctx, t.op, keys))
}

// A sum is of what some operations have cost together.
type sum struct {
	time, cpu time.Duration
	allocs    uint64
	took      []time.Duration // each
}

// run lets callers do n operations in all.
func (s *sum) run(n, callers int, do func(i int) error) error {
	var (
		all    sync.WaitGroup
		failed atomic.Pointer[error]
		took   = make([]time.Duration, n)
		before runtime.MemStats
		after  runtime.MemStats
	)
	runtime.GC() // nobody pays for the garbage of another
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	for caller := range callers {
		all.Go(func() {
			at := time.Now()
			for i := caller; i < n; i += callers {
				if err := do(i); err != nil {
					failed.Store(&err)
					return
				}
				now := time.Now()
				took[i], at = now.Sub(at), now
			}
		})
	}
	all.Wait()
	s.time += time.Since(start)
	s.cpu += cpuTime() - cpu
	runtime.ReadMemStats(&after)
	s.allocs += after.Mallocs - before.Mallocs
	s.took = append(s.took, took...)
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *sum) figure() figure {
	n := len(s.took)
	slices.Sort(s.took)
	return figure{
		time:   s.time / time.Duration(n),
		cpu:    s.cpu / time.Duration(n),
		allocs: float64(s.allocs) / float64(n),
		p50:    s.took[n/2],
		p99:    s.took[n*99/100],
	}
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// results are one contender's figures, round by round.
type results []figure

// median has the median of each column.
func (r results) median() figure {
	column := func(f func(figure) time.Duration) time.Duration {
		return time.Duration(middle(r, func(i int) float64 { return float64(f(r[i])) }))
	}
	return figure{
		time:   column(func(f figure) time.Duration { return f.time }),
		cpu:    column(func(f figure) time.Duration { return f.cpu }),
		allocs: middle(r, func(i int) float64 { return r[i].allocs }),
		p50:    column(func(f figure) time.Duration { return f.p50 }),
		p99:    column(func(f figure) time.Duration { return f.p99 }),
	}
}

// of is the time and the CPU as multiples of another's: the medians of the rounds' ratios, for two who
// had the same machine.
func (r results) of(other results) (time, cpu float64) {
	return middle(r, func(i int) float64 { return float64(r[i].time) / float64(other[i].time) }),
		middle(r, func(i int) float64 { return float64(r[i].cpu) / float64(other[i].cpu) })
}

// middle is the median over rounds.
func middle(r results, value func(round int) float64) float64 {
	values := make([]float64, len(r))
	for i := range values {
		values[i] = value(i)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
