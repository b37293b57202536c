package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"syscall"
	"time"

	_ "modernc.org/sqlite"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/examples/internal/embedded"
	"github.com/reprise-go/reprise/httpclient"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A receipt is what the order's client gets.
type receipt struct {
	Charge  string
	Booking int64
}

// A worker has what it takes to handle an order.
type worker struct {
	engine *replay.Engine
	table  *effect.Table
	client http.Client
	url    string
}

// handle is the worker's program: one order, which several workers get, as a queue may have it.
func handle(ctx context.Context) error {
	client := embedded.Connect(os.Getenv(redisVariable))
	defer client.Close()
	// With so short a lease, the order of a worker that died is free again soon.
	engine, err := replay.New(client, replay.Config{Lock: lock.Config{TTL: 3 * time.Second}})
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+os.Getenv(ledgerVariable)+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	table, err := effect.New(db, effect.Config{Dialect: effect.SQLite})
	if err != nil {
		return err
	}
	if err := table.Migrate(ctx); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS bookings (charge text NOT NULL)"); err != nil {
		return err
	}
	w := worker{engine, table, http.Client{Transport: &httpclient.Transport{}}, os.Getenv(providerVariable)}

	request := replay.Request{Scope: "shop", Key: "order-1", Fingerprint: "1999-GBP", Wait: time.Minute}
	got, result, err := replay.Do(ctx, w.engine, request, w.pay)
	if err != nil {
		return err
	}
	how := fmt.Sprintf("attempt %d", result.Attempt)
	switch {
	case result.Replayed:
		how = "from the record"
	case result.Repeated:
		how += ", from the ledger"
	}
	fmt.Printf("%s: %s is booked as %d\n", how, got.Charge, got.Booking)
	return nil
}

// pay charges by the other company, and books the charge. If the process dies in between, the next
// attempt charges again under the same key, which changes nothing there, and books.
func (w *worker) pay(ctx context.Context) (receipt, error) {
	charged, err := w.charge(ctx, 1999)
	if err != nil {
		return receipt{}, err
	}
	if os.Getenv(crashVariable) != "" {
		syscall.Kill(os.Getpid(), syscall.SIGKILL) // as kill -9 does
	}
	booked, _, err := effect.Do(ctx, w.table, "booking",
		func(ctx context.Context, tx *sql.Tx) (receipt, error) {
			done, err := tx.ExecContext(ctx, "INSERT INTO bookings (charge) VALUES (?)", charged.ID)
			if err != nil {
				return receipt{}, err
			}
			number, err := done.LastInsertId()
			return receipt{charged.ID, number}, err
		})
	return booked, err
}

// charge asks the other company. The transport sends the same key however often it has to ask, and so
// does every other attempt of this request.
func (w *worker) charge(ctx context.Context, amount int64) (made charge, err error) {
	body, err := json.Marshal(charge{Amount: amount})
	if err != nil {
		return made, err
	}
	ctx = httpclient.WithDerivedKey(ctx, "charge")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return made, err
	}
	resp, err := w.client.Do(r)
	if err != nil {
		return made, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return made, fmt.Errorf("the other company answers %s", resp.Status)
	}
	err = json.NewDecoder(resp.Body).Decode(&made)
	how := "charged"
	if httpclient.ReplyOf(resp).Replayed {
		how = "had charged"
	}
	fmt.Printf("the other company %s %s\n", how, made.ID)
	return made, err
}
