// Command pgx shows package effect where the transactions are pgx's own: effect.Join takes part in
// one by two functions. It books a charge, restarts with a Redis that knows nothing of it, and gets
// the same request again. It needs a PostgreSQL that it may make tables in, and prints what it does:
//
//	go run ./examples/pgx -db postgres://localhost/shop
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/examples/internal/embedded"
	"github.com/reprise-go/reprise/replay"
)

func main() {
	url := flag.String("db", "", "the `URL` of a PostgreSQL")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *url); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	db := stdlib.OpenDBFromPool(pool) // for Migrate, Check and Purge
	defer db.Close()
	table, err := effect.New(db, effect.Config{Dialect: effect.PostgreSQL})
	if err != nil {
		return err
	}
	if err := table.Migrate(ctx); err != nil {
		return err
	}
	const charges = "CREATE TABLE IF NOT EXISTS charges (id bigserial PRIMARY KEY, cents bigint NOT NULL)"
	if _, err := pool.Exec(ctx, charges); err != nil {
		return err
	}

	shop := &shop{pool, table}
	request := replay.Request{Scope: "shop", Key: rand.Text(), Fingerprint: "1999"}
	for _, when := range []string{"first", "after a restart"} {
		if err := shop.serve(ctx, out, when, request); err != nil {
			return err
		}
	}
	return nil
}

// A receipt is the value of the effect, which every answer is made of.
type receipt struct{ Charge int64 }

type shop struct {
	pool  *pgxpool.Pool
	table *effect.Table
}

// serve handles one request in a new process, as it were: with a Redis that has forgotten all.
func (s *shop) serve(ctx context.Context, out io.Writer, when string, request replay.Request) error {
	redis := embedded.Start()
	defer redis.Close()
	client := redis.Client()
	defer client.Close()
	engine, err := replay.New(client, replay.Config{})
	if err != nil {
		return err
	}
	if err := s.table.Check(ctx, engine); err != nil {
		return err
	}
	got, result, err := replay.Do(ctx, engine, request, func(ctx context.Context) (receipt, error) {
		return s.charge(ctx, 1999)
	})
	if err != nil {
		return err
	}
	var n int
	const count = "SELECT count(*) FROM charges WHERE id >= $1" // this one, and whatever came after it
	if err := s.pool.QueryRow(ctx, count, got.Charge).Scan(&n); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: receipt of charge %d, repeated %v; %d charged in all\n", when, got.Charge, result.Repeated, n)
	return nil
}

// charge charges once for the request at hand. If the answer to COMMIT is lost, it fails, and the
// next attempt finds out.
func (s *shop) charge(ctx context.Context, cents int64) (receipt, error) {
	for try := 1; ; try++ {
		got, err := s.tryCharge(ctx, cents)
		if err == nil || try == 5 || !s.table.Retryable(err) {
			return got, err
		}
	}
}

func (s *shop) tryCharge(ctx context.Context, cents int64) (got receipt, err error) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return got, err
	}
	defer tx.Rollback(ctx) // after a commit it does nothing

	entry, err := effect.Join[receipt](ctx, s.table, joined(tx), "charge")
	if err != nil {
		return got, err
	}
	if before, done := entry.Value(); done {
		return before, nil
	}
	const insert = "INSERT INTO charges (cents) VALUES ($1) RETURNING id"
	if err := tx.QueryRow(ctx, insert, cents).Scan(&got.Charge); err != nil {
		return got, err
	}
	if err := entry.Keep(ctx, got); err != nil {
		return got, err
	}
	return got, tx.Commit(ctx)
}

// joined is what effect needs of a transaction.
func joined(tx pgx.Tx) effect.Tx {
	return effect.Tx{
		Exec: func(ctx context.Context, query string, args ...any) (int64, error) {
			tag, err := tx.Exec(ctx, query, args...)
			return tag.RowsAffected(), err
		},
		QueryRow: func(ctx context.Context, query string, args ...any) effect.Row {
			return tx.QueryRow(ctx, query, args...)
		},
	}
}
