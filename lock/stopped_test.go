//go:build unix

package lock

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A server that is stopped keeps nobody, and a client that is closed leaves no goroutine: on a real
// Redis, whose process the test stops.
func TestStoppedServerKeepsNobodyAndLeavesNoGoroutine(t *testing.T) {
	const callers = 500
	addr, process := startRedisProcess(t)
	before := runtime.NumGoroutine()
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	l, err := New(client, Config{Timeout: 300 * time.Millisecond, TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(n int, round string) (errs []error) {
		errs = make([]error, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				lease, err := l.TryAcquire(context.Background(), fmt.Sprint(round, i), Terms{})
				if errs[i] = err; err == nil {
					errs[i] = lease.Release(context.Background())
				}
			})
		}
		all.Wait()
		return errs
	}
	served := func(round string) { // in the end: how soon depends on what else this machine does
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		for i := 0; ; i++ {
			err := errors.Join(ask(callers, fmt.Sprint(round, i, " "))...)
			if err == nil {
				return
			}
			if !pause(ctx, 10*time.Millisecond) {
				t.Fatal(err)
			}
		}
	}
	served("before ")
	signal := func(s syscall.Signal) {
		if err := process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{1, callers} {
		signal(syscall.SIGSTOP)
		for _, err := range ask(n, "stopped ") {
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("%d callers: got %v, want ErrUnavailable", n, err)
			}
		}
		signal(syscall.SIGCONT)
		served(fmt.Sprint("after ", n, " "))
	}

	// What was asked of a stopped server is still being handed back when its client closes.
	signal(syscall.SIGSTOP)
	ask(callers, "closed ")
	client.Close()
	signal(syscall.SIGCONT)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for runtime.NumGoroutine() > before {
		if !pause(ctx, 10*time.Millisecond) {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			t.Fatalf("%d goroutines, and %d before\n%s", runtime.NumGoroutine(), before, stacks)
		}
	}
}
