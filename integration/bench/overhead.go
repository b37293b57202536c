package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/lock"
)

// overhead measures what the adapter adds to the engine for a first request, 1 KiB in and 1 KiB out.
// A Redis that answers at once, in the process, stands in for the real one, whose round trips would
// drown a few microseconds.
func (b *bench) overhead(ctx context.Context) (string, error) {
	body := payments(1 << 10)
	with, err := adapter(instant(), body)
	if err != nil {
		return "", err
	}
	without, err := engine("engine", instant(), &answer{Status: 201, Body: body}, lock.PipelineAuto)
	if err != nil {
		return "", err
	}
	keys := make([]string, 2048)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	contenders := [2]contender{with, without}
	var figures [2]results
	for round := range b.rounds + 1 {
		for i := range contenders {
			i = (i + round) % len(contenders)
			var s sum
			if err := s.run(len(keys), 1, contenders[i].ready(ctx, "first", keys)); err != nil {
				return "", err
			}
			if round > 0 { // the first warms up
				figures[i] = append(figures[i], s.figure())
			}
		}
	}
	w, wo := figures[0].median(), figures[1].median()
	return fmt.Sprintf("The adapter adds %s of CPU and %.0f allocations to the engine's %s and %.0f, Redis left out.\n",
		micros(w.cpu-wo.cpu), w.allocs-wo.allocs, micros(wo.cpu), wo.allocs), nil
}

// instant is a client whose every command is answered on the spot: begin with a grant, commit with
// "stored".
func instant() *redis.Client {
	c := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	c.AddHook(instantly{})
	return c
}

type instantly struct{}

func (instantly) DialHook(next redis.DialHook) redis.DialHook { return next }

func (instantly) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (instantly) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		script, args := cmd.(*redis.Cmd), cmd.Args()
		if len(args) == 10 { // begin has six arguments after its key, commit four
			script.SetVal("L1 1 1700000000000000 86400000 1:fingerprint " + args[4].(string))
		} else {
			script.SetVal(int64(1))
		}
		return nil
	}
}
