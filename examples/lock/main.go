// Command lock shows package lock alone: three machines start a job, and at most one runs it at a
// time. The job takes longer than its lease, which is renewed meanwhile, and it writes with its
// fencing number. The program needs no Redis server, and prints what it does:
//
//	go run ./examples/lock
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"github.com/reprise-go/reprise/examples/internal/embedded"
	"github.com/reprise-go/reprise/lock"
)

const (
	lease = 500 * time.Millisecond // how long the lock is held after its machine has died
	work  = 800 * time.Millisecond
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	redis := embedded.Start()
	defer redis.Close()

	var reports table
	machine := func() error {
		client := redis.Client()
		defer client.Close()
		locker, err := lock.New(client, lock.Config{TTL: lease})
		if err != nil {
			return err
		}
		return locker.Do(ctx, "jobs:report", func(ctx context.Context, l *lock.Lease) error {
			fmt.Fprintln(out, "a machine begins")
			select {
			case <-time.After(work):
			case <-ctx.Done():
				return context.Cause(ctx) // lock.ErrLost: another may run by now
			}
			fmt.Fprintln(out, "it ends, and still holds the lock")
			return reports.insert(l.Fence())
		})
	}

	var fleet sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		fleet.Go(func() { errs[i] = machine() })
	}
	fleet.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d reports\n", len(reports.fences))
	fmt.Fprintln(out, "the first machine writes late:", reports.insert(reports.fences[0]))
	return nil
}

// A table stands for the database that the job writes to. It refuses a machine that has lost the
// lock without noticing, like INSERT … WHERE $fence > (SELECT max(fence) …).
type table struct {
	mu     sync.Mutex
	fences []int64
}

var errStale = errors.New("refused, a later one has written")

func (t *table) insert(fence int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.fences); n > 0 && fence <= t.fences[n-1] {
		return errStale
	}
	t.fences = append(t.fences, fence)
	return nil
}
