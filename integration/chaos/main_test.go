package chaos

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/integration/database"
)

func TestMain(m *testing.M) {
	if given, ok := os.LookupEnv(settingsEnv); ok {
		serveAPI(given)
		return
	}
	code := m.Run()
	cluster.CloseShared()
	database.CloseShared()
	printTable(os.Stdout)
	os.Exit(code)
}

// bounded is a context for one scenario, long enough for a machine that is busy with other things.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// must ends the test for a fault of the surroundings, which proves nothing.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lasts lets a fault, or the load, go on for so long: the one thing that these tests sleep for.
func lasts(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
