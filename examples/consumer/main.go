// Command consumer shows replay.Do in a queue consumer. The queue delivers messages more than once,
// as queues do. Each message is handled once, and one whose handling failed is handled again, as
// attempt 2. The program needs no Redis server, and prints what it does:
//
//	go run ./examples/consumer
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/reprise-go/reprise/examples/internal/embedded"
	"github.com/reprise-go/reprise/replay"
)

type message struct {
	ID     string
	Parcel string
}

// A receipt is the result of handling a message.
type receipt struct {
	Label   string
	Attempt int
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
	engine, err := replay.New(client, replay.Config{})
	if err != nil {
		return err
	}

	printer := printer{jams: 1}
	for _, m := range []message{{"m1", "books"}, {"m1", "books"}, {"m2", "shoes"}, {"m2", "shoes"}, {"m1", "books"}} {
		request := replay.Request{Scope: "parcels", Key: m.ID}
		got, result, err := replay.Do(ctx, engine, request, func(ctx context.Context) (receipt, error) {
			attempt, _ := replay.AttemptFrom(ctx)
			return printer.label(m.Parcel, attempt.Number)
		})
		switch {
		case err != nil: // of the printer, or replay.ErrInProgress: another consumer has it
			fmt.Printf("%s: %v; back to the queue\n", m.ID, err)
		case result.Replayed:
			fmt.Printf("%s: %+v as before; acknowledged\n", m.ID, got)
		default:
			fmt.Printf("%s: %+v; acknowledged\n", m.ID, got)
		}
	}
	fmt.Println("labels printed:", printer.labels)
	return nil
}

// A printer jams at the second label.
type printer struct{ labels, jams int }

var errJam = errors.New("paper jam")

func (p *printer) label(parcel string, attempt int) (receipt, error) {
	if p.labels == 1 && p.jams > 0 {
		p.jams--
		return receipt{}, errJam
	}
	p.labels++
	return receipt{Label: fmt.Sprintf("%s no. %d", parcel, p.labels), Attempt: attempt}, nil
}
