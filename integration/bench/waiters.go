package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
)

const crowd = 1000

// waiters measures how soon after an answer is committed all who wait for it on one machine have it, and
// counts what they ask of Redis for that.
func waiters(ctx context.Context, out io.Writer, s *site, rounds int) error {
	var asked atomic.Int64
	client := s.client()
	defer client.Close()
	client.AddHook(counting{&asked})
	committed := make(chan time.Time, 1) // by the first's engine, as near to its commit as can be seen from here
	engine, err := replay.New(client, replay.Config{Wait: time.Minute, Trace: &replay.Trace{Finished: func(_ context.Context, e replay.Event) {
		if e.Outcome == replay.Stored {
			committed <- time.Now()
		}
	}}})
	if err != nil {
		return err
	}
	adapter, err := httpadapter.New(engine, httpadapter.Config{Scope: httpadapter.GlobalScope})
	if err != nil {
		return err
	}
	body := bytes.Repeat([]byte(`{"a":1},`), 128)

	var last, median []time.Duration
	var subscriptions, questions int64
	for round := range rounds {
		key := "crowd" + strconv.Itoa(round)
		gate, began := make(chan struct{}), make(chan struct{})
		handler := adapter.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(began)
			<-gate
			w.Write(body)
		}))
		ask := func() { handler.ServeHTTP(&writer{header: http.Header{}}, request(ctx, key, body)) }
		go ask()
		<-began
		asked.Store(0)
		subscriptions = 0
		took := make([]time.Time, crowd)
		var all sync.WaitGroup
		for i := range took {
			all.Go(func() {
				ask()
				took[i] = time.Now()
			})
		}
		// All have been told that it is in flight, and the channel is theirs.
		for asked.Load() < crowd || subscriptions == 0 {
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
			counts, err := client.PubSubShardNumSub(ctx, redisKey(key)).Result()
			if err != nil {
				return err
			}
			subscriptions = counts[redisKey(key)]
		}
		asked.Store(0)
		close(gate)
		at := <-committed
		all.Wait()
		questions = max(questions, asked.Load()-1) // one is the commit
		slices.SortFunc(took, time.Time.Compare)
		median, last = append(median, took[crowd/2].Sub(at)), append(last, took[crowd-1].Sub(at))
	}
	slices.Sort(median)
	slices.Sort(last)
	fmt.Fprintf(out, "\n%d waiters on one key of one machine: %d subscription, at most %d questions after the commit; half have the answer after %v, all after %v (medians of %d; at worst %v).\n",
		crowd, subscriptions, questions, median[rounds/2].Round(100*time.Microsecond), last[rounds/2].Round(100*time.Microsecond), rounds, last[rounds-1].Round(100*time.Microsecond))
	return nil
}

// counting counts the scripts that have been answered.
type counting struct{ n *atomic.Int64 }

func (counting) DialHook(next redis.DialHook) redis.DialHook { return next }

func (counting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if cmd.Name() == "evalsha" || cmd.Name() == "eval" {
			c.n.Add(1)
		}
		return err
	}
}
