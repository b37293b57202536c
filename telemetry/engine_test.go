package telemetry

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A stage is a Redis that grants every key and stores every answer, without a network: what is left
// of a request is this machine's own part.
type stage struct{}

func (stage) DialHook(next redis.DialHook) redis.DialHook { return next }

func (stage) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		args := cmd.Args()
		// Begin's reply is a claim; commit's is 1. Begin has five arguments of its own, commit three.
		if len(args) == 10 {
			cmd.(*redis.Cmd).SetVal(fmt.Sprintf("L1 1 1 86400000 %v %v", args[7], args[4]))
		} else {
			cmd.(*redis.Cmd).SetVal(int64(1))
		}
		return nil
	}
}

func (stage) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// staged is an engine on a stage, with what t tells, or nothing.
func staged(tb testing.TB, t *Telemetry) *replay.Engine {
	tb.Helper()
	client := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	tb.Cleanup(func() { client.Close() })
	client.AddHook(stage{})
	cfg := replay.Config{Lock: lock.Config{Pipeline: lock.PipelineOff}}
	if t != nil {
		cfg.Trace, cfg.Lock.Trace = t.Replay(), t.Lock()
	}
	engine, err := replay.New(client, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return engine
}

var anOrder = replay.Request{Scope: "shop", Key: "order", Fingerprint: "one", Route: "/orders", Dialect: "problem"}

// run is a first request.
func run(tb testing.TB, engine *replay.Engine) {
	result, err := engine.Do(context.Background(), anOrder, func(context.Context) (replay.Answer, error) {
		return replay.Answer{Value: "done"}, nil
	})
	if err != nil || !result.Stored {
		tb.Fatalf("%+v, %v", result, err)
	}
}
