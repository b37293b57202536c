// Command bench measures reprise on redis-servers that it starts on loopback, or on the empty Redis
// that REPRISE_REDIS_URL names: what a first request, a replay and a conflict cost, against others in
// the same run.
//
//	naive    what one would write with redsync and go-redis: Lock, GET, SET, Unlock
//	floor    reprise's own scripts, sent by bare go-redis over its pool
//	shared   the same over go-redis's own shared pipelines (AsyncAutoPipeline)
//	alone    package replay without shared pipelines
//	engine   package replay
//	adapter  package httpadapter, with requests and answers in memory
//
// They take turns in short rounds, and the figures are medians over the rounds: the machine may be
// shared, and only ratios within a run mean something. Run it from the repository's root:
//
//	make bench
//	go run ./integration/bench -only goals
//	go run ./integration/bench -out docs/speed.md
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	b := &bench{scale: full, out: os.Stdout, log: os.Stderr}
	var only, out string
	flag.IntVar(&b.rounds, "rounds", 9, "how many rounds of turns the contenders have")
	flag.Var((*numbers)(&b.callers), "callers", "with how many callers at a time")
	flag.StringVar(&only, "only", "", "the parts to run, of: "+strings.Join(names(), ", "))
	flag.StringVar(&out, "out", "", "a page whose tables are to be replaced by these, and its curves beside it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx, only, out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A bench is one run of some parts.
type bench struct {
	scale
	rounds  int
	callers numbers
	out     io.Writer // of what is measured
	log     io.Writer // of how far it is
	curves  []comparison
	sites   map[string]*site
}

// scale is how much is measured.
type scale struct {
	perTurn time.Duration // about how long a turn lasts
	least   int           // operations of each caller in a turn

	// inRound is how many turns each contender has in a round. A machine that is shared is now fast
	// and now slow, for seconds: many short turns give each contender its share of both.
	inRound int

	renewed time.Duration // for how long leases are renewed
	ttl     time.Duration // of them
	leases  int           // that are renewed
	waiters int
	keys    []int // to which Redis is filled
}

var full = scale{
	perTurn: 50 * time.Millisecond,
	least:   8,
	inRound: 4,
	renewed: time.Minute,
	ttl:     3 * time.Second,
	leases:  10_000,
	waiters: 1000,
	keys:    []int{1e3, 1e4, 1e5, 1e6},
}

// A part of the bench returns what is to be printed, as Markdown.
type part struct {
	name string
	run  func(*bench, context.Context) (string, error)
}

var parts = []part{
	{"goals", (*bench).goals},
	{"single", func(b *bench, ctx context.Context) (string, error) { return b.compareOn(ctx, "single") }},
	{"cluster", func(b *bench, ctx context.Context) (string, error) { return b.compareOn(ctx, "cluster") }},
	{"long", (*bench).long},
	{"adapter", (*bench).overhead},
	{"waiters", (*bench).waitersOf},
	{"renewals", (*bench).renewals},
	{"growth", (*bench).growth},
}

func names() (all []string) {
	for _, p := range parts {
		all = append(all, p.name)
	}
	return all
}

func (b *bench) run(ctx context.Context, only, out string) error {
	b.sites = map[string]*site{}
	defer func() {
		for _, s := range b.sites {
			s.Close()
		}
	}()
	var chosen []string
	if only != "" {
		chosen = strings.Split(only, ",")
	}
	for _, name := range chosen {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("-only: got %q, want some of %s", name, strings.Join(names(), ","))
		}
	}
	if b.rounds < 1 {
		return fmt.Errorf("-rounds: got %d, want 1 at least", b.rounds)
	}
	if b.callers == nil {
		b.callers = numbers{1, 8, 32, 256, 1024}
	}
	for _, p := range parts {
		if chosen != nil && !slices.Contains(chosen, p.name) {
			continue
		}
		text, err := p.run(b, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		text += "\n" + b.circumstances() + "\n"
		fmt.Fprintf(b.out, "%s\n\n%s\n", p.name, text)
		if out == "" {
			continue
		}
		if err := replace(out, p.name, text); err != nil {
			return err
		}
	}
	if out != "" && b.curves != nil {
		return drawCurves(beside(out), b.curves)
	}
	return nil
}

// circumstances are those of a part's figures.
func (b *bench) circumstances() string {
	version := "no Redis"
	for _, s := range b.sites {
		version = "Redis " + s.version
	}
	rounds := fmt.Sprint(b.rounds, " rounds")
	if b.rounds == 1 {
		rounds = "one round"
	}
	return fmt.Sprintf("Measured on %s: %s, on %d cores that it shared with the bench; medians of %s.",
		time.Now().UTC().Format(time.DateOnly), version, runtime.NumCPU(), rounds)
}

// site is the Redis to measure on, of one kind.
func (b *bench) site(ctx context.Context, kind string) (*site, error) {
	if s := b.sites[kind]; s != nil {
		return s, nil
	}
	s, err := given(ctx)
	switch {
	case err != nil:
		return nil, err
	case s != nil && s.kind == kind:
	case kind == "cluster":
		s, err = cluster(ctx)
	default:
		s, err = single(ctx)
	}
	if err != nil {
		return nil, err
	}
	b.sites[kind] = s
	return s, nil
}

// numbers is a list of them as a flag.
type numbers []int

func (n *numbers) String() string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(*n)), ","), "[]")
}

func (n *numbers) Set(text string) error {
	*n = nil
	for field := range strings.SplitSeq(text, ",") {
		number, err := strconv.Atoi(field)
		if err != nil || number < 1 {
			return fmt.Errorf("got %q, want positive numbers with commas between them", field)
		}
		*n = append(*n, number)
	}
	return nil
}

// micros is a time with three digits.
func micros(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}} {
		if d >= unit.of {
			return digits(float64(d)/float64(unit.of)) + " " + unit.name
		}
	}
	return digits(float64(d)/float64(time.Microsecond)) + " µs"
}

func digits(v float64) string {
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
