package lock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A node that is asked by nobody has a pipeliner with nothing in it.
func TestPipelinerKeepsNothing(t *testing.T) {
	addr, admin := startRedis(t)
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	defer client.Close()
	l, err := New(client, Config{})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		if err := admin.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				if i == 100 {
					leave()
				}
				lease, err := l.TryAcquire(ctx, fmt.Sprint(round, " ", i), Terms{Detached: true})
				if err == nil {
					_, err = lease.Commit(ctx, []byte("R "+lease.Owner()+strings.Repeat("x", i*100)), time.Minute)
				}
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		leave()
	}
	sem := l.store.(*single).server.semaphores.byAddr[addr]
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for p := &sem.pipeliner; ; {
		p.mu.Lock()
		busy := p.inFlight + p.urgent.Len() + p.ordinary.Len()
		p.mu.Unlock()
		if busy == 0 {
			break
		}
		if !pause(ctx, time.Millisecond) {
			t.Fatalf("%d in flight or waiting", busy)
		}
	}
}

// However many ask, no more than maxWaiting wait for pipelines; who leaves makes room.
func TestPipelinerIsBounded(t *testing.T) {
	p := &pipeliner{server: &server{cfg: Config{Timeout: time.Hour}}}
	begin := requests{}.begin(t.Context(), newLeaseID("key", "token"), Terms{})
	var waiting []*pending
	for i := range maxInFlight + maxWaiting {
		w, isFull := p.join(t.Context(), nil, begin)
		if isFull || (w == nil) != (i < maxInFlight) {
			t.Fatalf("the one at %d waits: %v, finds it full: %v", i, w != nil, isFull)
		}
		if w != nil {
			waiting = append(waiting, w)
		}
	}
	for range 2 {
		for range 1000 {
			if w, isFull := p.join(t.Context(), nil, begin); w != nil || !isFull {
				t.Fatal("it waits")
			}
		}
		if n := p.urgent.Len() + p.ordinary.Len(); n != maxWaiting {
			t.Fatalf("%d wait, want %d", n, maxWaiting)
		}
		p.withdraw(waiting[0])
		waiting = waiting[1:]
		if w, isFull := p.join(t.Context(), nil, begin); w == nil || isFull {
			t.Fatal("it doesn't wait, though there is room")
		}
	}
}
