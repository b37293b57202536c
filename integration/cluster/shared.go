package cluster

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
)

var shared struct {
	sync.Mutex
	started bool
	cluster *Cluster
	err     error
}

// Shared is the one cluster of this test binary, started for the first test
// that asks, and whole at the start of every test that asks. Without a Docker
// engine the test is skipped, or fails: see [Require]. TestMain closes it with
// [CloseShared].
func Shared(t testing.TB) *Cluster {
	t.Helper()
	Require(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()

	shared.Lock()
	defer shared.Unlock()
	if !shared.started {
		shared.started = true
		shared.cluster, shared.err = Start(ctx)
	}
	if shared.err == nil {
		if err := shared.cluster.Settle(ctx); err != nil {
			shared.err = fmt.Errorf("an earlier test left the cluster broken: %w", err)
		}
	}
	if shared.err != nil {
		t.Fatal(shared.err) // as all tests after this one, without waiting again
	}
	return shared.cluster
}

// CloseShared removes the shared cluster, if a test asked for it.
func CloseShared() {
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		return
	}
	if err := shared.cluster.Close(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	shared.cluster = nil
}
