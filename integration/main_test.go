package integration

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
)

func TestMain(m *testing.M) {
	code := m.Run()
	cluster.CloseShared()
	os.Exit(code)
}

// bounded is a context for one test, long enough for a machine that is busy with other things.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until check returns nil, and ends the test if it never does.
func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	if err := cluster.Eventually(t.Context(), what, check); err != nil {
		t.Fatal(err)
	}
}

// must ends the test for a fault of the surroundings, which proves nothing.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
