package main

import (
	"bytes"
	"context"
	"fmt"
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

// waiters measures how soon after an answer is committed all who wait for it on one machine have it, and
// counts what they ask of Redis for that.
func (b *bench) waitersOf(ctx context.Context) (string, error) {
	s, err := b.site(ctx, "single")
	if err != nil {
		return "", err
	}
	crowd := b.scale.waiters
	if err := s.flush(ctx); err != nil {
		return "", err
	}
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
		return "", err
	}
	adapter, err := httpadapter.New(engine, httpadapter.Config{Scope: httpadapter.GlobalScope})
	if err != nil {
		return "", err
	}
	body := bytes.Repeat([]byte(`{"a":1},`), 128)

	var last, median []time.Duration
	var subscriptions, questions int64
	for round := range b.rounds {
		key := "crowd" + strconv.Itoa(round)
		gate, began := make(chan struct{}), make(chan struct{})
		handler := adapter.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(began)
			<-gate
			w.Write(body)
		}))
		ask := func() error {
			w := &writer{header: http.Header{}, want: body}
			handler.ServeHTTP(w, request(ctx, key, body))
			return check(nil, w.same)
		}
		var failed atomic.Pointer[error]
		go ask()
		<-began
		asked.Store(0)
		subscriptions = 0
		took := make([]time.Time, crowd)
		var all sync.WaitGroup
		for i := range took {
			all.Go(func() {
				if err := ask(); err != nil {
					failed.Store(&err)
				}
				took[i] = time.Now()
			})
		}
		// All have been told that it is in flight, and the channel is theirs.
		err := until(ctx, func() error {
			counts, err := client.PubSubShardNumSub(ctx, redisKey("reprise", key)).Result()
			subscriptions = counts[redisKey("reprise", key)]
			if err == nil && (asked.Load() < int64(crowd) || subscriptions == 0) {
				err = fmt.Errorf("%d of %d have asked, %d subscriptions", asked.Load(), crowd, subscriptions)
			}
			return err
		})
		if err != nil {
			return "", err
		}
		asked.Store(0)
		close(gate)
		at := <-committed
		all.Wait()
		if err := failed.Load(); err != nil {
			return "", *err
		}
		questions = max(questions, asked.Load()-1) // one is the commit
		slices.SortFunc(took, time.Time.Compare)
		median, last = append(median, took[crowd/2].Sub(at)), append(last, took[crowd-1].Sub(at))
	}
	slices.Sort(median)
	slices.Sort(last)
	return fmt.Sprintf("%d waiters on one key of one machine: %d subscription, %d asked after the commit at most. Half of them have the answer after %s, all after %s, and at worst after %s.\n",
		crowd, subscriptions, questions, micros(median[b.rounds/2]), micros(last[b.rounds/2]), micros(last[b.rounds-1])), nil
}

// counting counts the scripts that have been answered.
type counting struct{ n *atomic.Int64 }

func (counting) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c counting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			c.count(cmd)
		}
		return err
	}
}

func (c counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		c.count(cmd)
		return err
	}
}

func (c counting) count(cmd redis.Cmder) {
	if cmd.Name() == "evalsha" || cmd.Name() == "eval" {
		c.n.Add(1)
	}
}
