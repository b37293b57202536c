// Command bench measures reprise on a redis-server that it starts on loopback, or on the empty Redis
// that REPRISE_REDIS_URL names: what a first request, a replay and a conflict cost, against others in
// the same run.
//
//	naive    what one would write with redsync and go-redis: Lock, GET, SET, Unlock
//	floor    reprise's own scripts, sent by bare go-redis over its pool
//	shared   the same over go-redis's own shared pipelines (AsyncAutoPipeline)
//	engine   package replay
//	adapter  package httpadapter, with requests and answers in memory
//
// They take turns in short rounds, and the figures are medians over the rounds: the machine may be
// shared, and only ratios within a run mean something. Run it from the repository's root:
//
//	make bench
//	go run ./integration/bench -only goals
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/reprise-go/reprise/lock"
)

func main() {
	rounds := flag.Int("rounds", 9, "how many rounds of turns the contenders have")
	only := flag.String("only", "", "goals: the seven rows that have goals, and nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := mainly(ctx, *rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func mainly(ctx context.Context, rounds int, only string) error {
	s, err := given(ctx)
	if s == nil && err == nil {
		s, err = single(ctx)
	}
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Printf("Redis %s, %s, %d rounds; medians\n\n", s.version, time.Now().UTC().Format(time.DateOnly), rounds)
	if err := measureGoals(ctx, os.Stdout, s, rounds); err != nil {
		return err
	}
	if only == "goals" {
		return nil
	}
	if err := overhead(ctx, os.Stdout, rounds); err != nil {
		return err
	}
	return waiters(ctx, os.Stdout, s, rounds)
}

// contenders are some by their names, each with a client of its own. They answer with a body of
// this length.
func contenders(s *site, size int, names ...string) (all []contender, err error) {
	body := payments(size)
	a := &answer{Status: 201, Body: body}
	for _, name := range names {
		var c contender
		switch client := s.client(); name {
		case "naive":
			c = naive(client, a)
		case "floor":
			c, err = floor(client, a)
		case "shared":
			c, err = shared(client, a)
		case "engine":
			c, err = engine(client, a, lock.PipelineAuto)
		case "adapter":
			c, err = adapter(client, body, lock.PipelineAuto)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, c)
	}
	return all, nil
}

func micros(d time.Duration) string { return d.Round(100 * time.Nanosecond).String() }
