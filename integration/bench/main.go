// Command bench measures reprise on a real Redis in a container: what a first request, a replay and
// a conflict cost, against two others in the same run.
//
//	naive   what one would write with redsync and go-redis: Lock, GET, SET, Unlock
//	floor   reprise's own scripts, sent by bare go-redis, with no redsync, codec or lease
//
// The three take turns in short rounds, and the figures are medians over the rounds: the machine may
// be shared, and only ratios within a run mean something. Run it from the repository's root:
//
//	make bench
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/cluster"
)

func main() {
	rounds := flag.Int("rounds", 40, "how often the contenders take turns")
	addr := flag.String("redis", "", "HOST:PORT of a Redis to use instead of a container; its database is flushed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *rounds, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, addr string) error {
	if addr == "" {
		single, err := cluster.StartSingle(ctx)
		if err != nil {
			return err
		}
		defer single.Close(context.WithoutCancel(ctx))
		addr = single.Client().Options().Addr
	}
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, PoolSize: 64})
	defer client.Close()
	info, err := client.InfoMap(ctx, "server").Result()
	if err != nil {
		return err
	}
	fmt.Printf("Redis %s, %s, %d rounds; medians\n\n", info["Server"]["redis_version"], time.Now().UTC().Format(time.DateOnly), rounds)

	if err := compare(ctx, client, rounds); err != nil {
		return err
	}
	if err := overhead(ctx, rounds); err != nil {
		return err
	}
	return waiters(ctx, addr, rounds)
}
