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
// passed over, and no slot is lost.
func TestSlotsInTheirOrder(t *testing.T) {
	node := redis.NewClient(&redis.Options{PoolSize: 1})
	defer node.Close()
	synctest.Test(t, func(t *testing.T) {
		slots := newSemaphores(nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		taken, err := slots.acquire(ctx, node, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []string
		wait := func(name string, ctx context.Context, urgent bool, left <-chan struct{}, want error) {
			go func() {
				sem, err := slots.acquire(ctx, node, urgent, left)
				if !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", name, err, want)
				}
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				if err == nil {
					slots.release(sem)
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
		slots.release(taken)
		synctest.Wait()
		if got, want := fmt.Sprint(order), "[gone late commit renew begin 1 begin 2]"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if sem := slots.byAddr[node.Options().Addr]; sem.taken != 0 || sem.urgent.Len() != 0 || sem.ordinary.Len() != 0 {
			t.Errorf("%d slots taken, %d and %d wait, want none", sem.taken, sem.urgent.Len(), sem.ordinary.Len())
		}
	})
}

// Nodes come and go with their addresses: those that are gone are forgotten, those that are busy
// aren't.
func TestSemaphoresOfNodesThatAreGoneAreForgotten(t *testing.T) {
	slots := newSemaphores(nil)
	var busy *semaphore
	node := redis.NewClient(&redis.Options{})
	defer node.Close()
	for i := range 10 * manyNodes {
		node.Options().Addr = fmt.Sprint("node:", i)
		sem, err := slots.acquire(t.Context(), node, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		if busy == nil {
			busy = sem
		} else {
			slots.release(sem)
		}
	}
	if n := len(slots.byAddr); n > manyNodes || slots.byAddr["node:0"] != busy {
		t.Errorf("%d semaphores, want at most %d, and the busy one among them", n, manyNodes)
	}
}

// The ordinary way through takes nothing.
func TestSlotThatIsFreeAllocatesNothing(t *testing.T) {
	slots := newSemaphores(nil)
	node := redis.NewClient(&redis.Options{})
	defer node.Close()
	if n := testing.AllocsPerRun(100, func() {
		sem, _ := slots.acquire(t.Context(), node, false, nil)
		slots.release(sem)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
