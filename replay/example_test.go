package replay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/replay"
)

type Order struct{ Tenant, ID, Digest string }

type Receipt struct{ ID string }

// The examples that ask Redis have no output: they compile. examples/consumer is a program to run.
var (
	ctx    = context.Background()
	order  Order
	engine *replay.Engine
)

func charge(context.Context, Order) (Receipt, error)     { return Receipt{}, nil }
func findCharge(context.Context, Order) (Receipt, error) { return Receipt{}, nil }

var errNoCharge, errCardDeclined = errors.New("no charge"), errors.New("card declined")

func ExampleNew() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
	engine, err := replay.New(client, replay.Config{Logger: slog.Default()})
	if err != nil {
		fmt.Println(err) // every fault of the configuration at once
		return
	}
	if err := engine.Check(ctx); err != nil {
		fmt.Println(err) // no server answers; weak settings are logged, or with Lock.Strict returned here
	}
}

// Work of a type of its own, as a queue's consumer has it.
func ExampleDo() {
	request := replay.Request{Scope: order.Tenant, Key: order.ID, Fingerprint: order.Digest}
	receipt, result, err := replay.Do(ctx, engine, request, func(ctx context.Context) (Receipt, error) {
		return charge(ctx, order)
	})
	switch {
	case errors.Is(err, replay.ErrInProgress):
		fmt.Println("another machine has it: ask again later")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(receipt.ID, "replayed:", result.Replayed)
	}
}

// Work that decides itself what becomes of the key.
func ExampleEngine_Do() {
	var receipt Receipt
	work := func(ctx context.Context) (answer replay.Answer, err error) {
		receipt, err = charge(ctx, order)
		if errors.Is(err, errCardDeclined) {
			return replay.Answer{Verdict: replay.Release}, nil // nothing happened: the next is a first
		}
		return replay.Answer{Value: &receipt}, err
	}
	result, err := engine.Do(ctx, replay.Request{Scope: order.Tenant, Key: order.ID}, work)
	if err == nil && result.Replayed {
		err = result.Decode(&receipt)
	}
	fmt.Println(receipt.ID, err)
}

// After an attempt that died, the bank is asked what became of it.
func ExampleRequest_reconcile() {
	request := replay.Request{Scope: order.Tenant, Key: order.ID, OnAbandoned: replay.AskReconcile}
	request.Reconcile = func(ctx context.Context) (replay.Decision, replay.Answer, error) {
		receipt, err := findCharge(ctx, order)
		switch {
		case errors.Is(err, errNoCharge):
			return replay.NotDone, replay.Answer{}, nil // so run the work
		case err != nil:
			return replay.Undecided, replay.Answer{}, err // so refuse with ErrOutcomeUnknown
		}
		return replay.Done, replay.Answer{Value: &receipt}, nil
	}
	receipt, result, err := replay.Do(ctx, engine, request, func(ctx context.Context) (Receipt, error) {
		return charge(ctx, order)
	})
	fmt.Println(receipt.ID, "charged by an earlier attempt:", result.Reconciled, err)
}

// A failure before any effect need not make the next attempt the second.
func ExampleClean() {
	validate := func(o Order) error {
		if o.ID == "" {
			return replay.Clean(errors.New("an order needs an ID"))
		}
		return nil
	}
	fmt.Println(validate(Order{}))
	// Output: an order needs an ID
}

// A database that remembers the fence turns away work that lost its lease without noticing.
func ExampleAttemptFrom() {
	work := func(ctx context.Context) (Receipt, error) {
		attempt, _ := replay.AttemptFrom(ctx)
		if attempt.Number > 1 {
			fmt.Println("an attempt before this one failed or died")
		}
		const update = `UPDATE orders SET state = 'paid', fence = $1 WHERE id = $2 AND fence < $1`
		fmt.Println(update, attempt.Fence, order.ID)
		return charge(ctx, order)
	}
	_, _, err := replay.Do(ctx, engine, replay.Request{Scope: order.Tenant, Key: order.ID}, work)
	fmt.Println(err)
}

func ExampleTrace() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	trace := &replay.Trace{Finished: func(ctx context.Context, e replay.Event) {
		log.InfoContext(ctx, "request", "outcome", e.Outcome, "attempt", e.Attempt, "work", e.Work)
	}}
	cfg := replay.Config{Trace: trace}

	cfg.Trace.Finished(ctx, replay.Event{Outcome: replay.Stored, Attempt: 1}) // as the engine does
	// Output: level=INFO msg=request outcome=stored attempt=1 work=0s
}

func ExampleOutcomeOf() {
	err := fmt.Errorf("pay: %w", &replay.InProgressError{Attempt: 1})
	fmt.Println(replay.OutcomeOf(err))
	// Output: in-progress
}

func ExampleFromEnv() {
	cfg, err := replay.FromEnv("REPRISE_", []string{ // os.Environ(), in a program
		"REPRISE_REPLAY_WAIT=5s",
		"REPRISE_REPLAY_ON_ABANDONED=refuse",
		"REPRISE_LOCK_TTL=10s",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.Wait, cfg.OnAbandoned == replay.RefuseUnknown, cfg.Lock.TTL)

	_, err = replay.FromEnv("REPRISE_", []string{"REPRISE_REPLAY_ON_HANGUP=maybe"})
	fmt.Println(err != nil) // it says the variable, the value and what is accepted
	// Output:
	// 5s true 10s
	// true
}
