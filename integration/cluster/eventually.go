package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// patience bounds a wait whose context has no deadline of its own.
const patience = 3 * time.Minute

// Eventually calls check until it returns nil. When ctx ends first, or after
// three minutes, it gives up with what check said last.
func Eventually(ctx context.Context, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()

	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // a check cut short knows nothing new
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("cluster: waiting until %s: %w: %w", what, context.Cause(ctx), last)
		}
	}
}

// each runs do for all nodes at once and joins what went wrong.
func each(nodes []*Node, do func(*Node) error) error {
	errs := make([]error, len(nodes))
	var running sync.WaitGroup
	for i, n := range nodes {
		running.Go(func() { errs[i] = do(n) })
	}
	running.Wait()
	return errors.Join(errs...)
}
