package reprisetest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/reprise-go/reprise/replay"
	"github.com/reprise-go/reprise/reprisetest"
)

// A test of one's own gets an engine without a Redis server.
func ExampleEngine() {
	t := new(test) // yours has a *testing.T
	defer t.end()

	engine := reprisetest.Engine(t, replay.Config{})
	charges := 0
	for range 2 {
		receipt, result, err := replay.Do(context.Background(), engine, replay.Request{Key: "order-1"},
			func(context.Context) (string, error) {
				charges++
				return fmt.Sprint("charge ", charges), nil
			})
		fmt.Println(receipt, result.Replayed, err)
	}
	// Output:
	// charge 1 false <nil>
	// charge 1 true <nil>
}

// A test is as much of a testing.TB as Engine needs.
type test struct {
	testing.TB
	cleanups []func()
}

func (t *test) Helper()          {}
func (t *test) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *test) end() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}
