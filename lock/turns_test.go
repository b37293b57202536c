package lock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// Who waits is served in the order of coming, those first who keep or end a lease; who gives up is
// passed over, and no turn is lost.
func TestTurnsInTheirOrder(t *testing.T) {
	node := redis.NewClient(&redis.Options{PoolSize: 1})
	defer node.Close()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		taken, err := turns.take(ctx, node, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []string
		wait := func(name string, ctx context.Context, urgent bool, left <-chan struct{}, want error) {
			go func() {
				q, err := turns.take(ctx, node, urgent, left)
				if !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", name, err, want)
				}
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				if err == nil {
					turns.give(q)
				}
			}()
			synctest.Wait()
		}
		left := make(chan struct{})
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		wait("late", short, false, nil, redis.ErrPoolTimeout)
		wait("gone", ctx, false, left, errUnsent)
		wait("begin 1", ctx, false, nil, nil)
		wait("commit", ctx, true, nil, nil)
		wait("begin 2", ctx, false, nil, nil)
		wait("renew", ctx, true, nil, nil)
		close(left)
		time.Sleep(2 * time.Second)
		turns.give(taken)
		synctest.Wait()
		if got, want := fmt.Sprint(order), "[gone late commit renew begin 1 begin 2]"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if q := turns.nodes[node.Options().Addr]; q.busy != 0 || q.first.Len() != 0 || q.later.Len() != 0 {
			t.Errorf("%d turns taken, %d and %d wait, want none", q.busy, q.first.Len(), q.later.Len())
		}
	})
}

// Nodes come and go with their addresses: those that are gone are forgotten, those that are busy aren't.
func TestQueuesOfNodesThatAreGoneAreForgotten(t *testing.T) {
	turns := newTurns()
	var busy *queue
	node := redis.NewClient(&redis.Options{})
	defer node.Close()
	for i := range 10 * manyNodes {
		node.Options().Addr = fmt.Sprint("node:", i)
		q, err := turns.take(t.Context(), node, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		if busy == nil {
			busy = q
		} else {
			turns.give(q)
		}
	}
	if n := len(turns.nodes); n > manyNodes || turns.nodes["node:0"] != busy {
		t.Errorf("%d queues, want at most %d, and the busy one among them", n, manyNodes)
	}
}

// The ordinary way through takes nothing.
func TestTurnThatIsFreeAllocatesNothing(t *testing.T) {
	turns := newTurns()
	node := redis.NewClient(&redis.Options{})
	defer node.Close()
	if n := testing.AllocsPerRun(100, func() {
		q, _ := turns.take(t.Context(), node, false, nil)
		turns.give(q)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
