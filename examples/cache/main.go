// Command cache shows package cache alone: Go values in Redis, each for its own time. It needs no
// Redis server, and prints what it does:
//
//	go run ./examples/cache
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/examples/internal/embedded"
)

// A quote is a price that is too expensive to ask the bank for twice a minute.
type quote struct {
	Pair string
	Rate float64
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	redis := embedded.Start()
	defer redis.Close()
	client := redis.Client()
	defer client.Close()

	quotes, err := cache.New[quote](client, cache.Config{})
	if err != nil {
		return err
	}
	const key = "quotes:GBPEUR"

	// A miss is not an error: an error means that nobody knows whether there is a value.
	_, found, err := quotes.Get(ctx, key)
	if err != nil {
		return err
	}
	fmt.Println("before Put, found:", found)

	if err := quotes.Put(ctx, key, quote{"GBPEUR", 1.17}, 10*time.Minute); err != nil {
		return err
	}
	q, found, err := quotes.Get(ctx, key)
	if err != nil {
		return err
	}
	fmt.Printf("after Put, found: %v %+v\n", found, q)

	left, _, err := quotes.TTL(ctx, key)
	if err != nil {
		return err
	}
	fmt.Println("expires in about", left.Round(time.Minute))

	deleted, err := quotes.Delete(ctx, key)
	if err != nil {
		return err
	}
	_, found, err = quotes.Get(ctx, key)
	if err != nil {
		return err
	}
	fmt.Printf("deleted: %v, found: %v\n", deleted, found)
	return nil
}
