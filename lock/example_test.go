package lock_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/lock"
)

// Of all machines that run this at once, one works at a time. The fence goes with each write, so
// that the database can refuse one that comes late.
func ExampleLocker_Do() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	locker, err := lock.New(client, lock.Config{})
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	err = locker.Do(ctx, "jobs:report", func(ctx context.Context, lease *lock.Lease) error {
		return writeReport(ctx, lease.Fence()) // ctx ends if the lease is lost
	})
	if errors.Is(err, lock.ErrLost) {
		log.Print("another may have run at the same time")
	}
}

// The result of the work is kept under the key, so that whoever asks next gets it and does nothing.
func ExampleLocker_TryAcquire() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	locker, err := lock.New(client, lock.Config{})
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	lease, err := locker.TryAcquire(ctx, "orders:4711", lock.Terms{})
	if done, ok := errors.AsType[*lock.DoneError](err); ok {
		fmt.Println("done before:", done.Value)
		return
	}
	if errors.Is(err, lock.ErrHeld) {
		fmt.Println("another is at it")
		return
	}
	if err != nil {
		log.Fatal(err) // lock.ErrUnavailable: nobody knows
	}

	value := "shipped by " + lease.Owner() // differs from lease to lease, as Commit asks for
	if _, err := lease.Commit(ctx, []byte(value), 24*time.Hour); err != nil {
		log.Fatal(err) // lock.ErrLost: the key is another's by now
	}
}

// The lock outlives the loss of one of three deployments that share nothing.
func ExampleNewQuorum() {
	var clients []redis.UniversalClient
	for _, addr := range []string{"redis-a:6379", "redis-b:6379", "redis-c:6379"} {
		client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
		defer client.Close()
		clients = append(clients, client)
	}
	locker, err := lock.NewQuorum(clients, lock.Config{TTL: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	lease, err := locker.Acquire(ctx, "jobs:report", lock.Terms{Wait: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer lease.Release(ctx)
	// Work until lease.Context() ends.
}

// Client and settings come from the environment; every fault is named at once.
func ExampleFromEnv() {
	environ := []string{ // as os.Environ() has them
		"REPRISE_REDIS_URL=redis://localhost:6379",
		"REPRISE_LOCK_TTL=20s",
	}
	client, err := lock.ClientFromEnv("REPRISE_", environ)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	cfg, err := lock.FromEnv("REPRISE_", environ)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := lock.New(client, cfg); err != nil {
		log.Fatal(err)
	}
	fmt.Println("a lease lasts", cfg.TTL)

	_, err = lock.FromEnv("REPRISE_", []string{"REPRISE_LOCK_TTL=soon"})
	fmt.Println("refused:", err != nil)
	// Output:
	// a lease lasts 20s
	// refused: true
}

func writeReport(context.Context, int64) error { return nil }
