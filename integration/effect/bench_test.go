package effect_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/integration/database"
	"github.com/reprise-go/reprise/replay"
)

// BenchmarkDo has four transactions take turns on each database: one INSERT as it is, the same behind a
// Fence, the same as an effect, and that effect once more, as another attempt finds it. No server waits for its disk (see
// package database): to wait for a COMMIT is the same for all of them, but for the second.
//
//	go test -run '^$' -bench Do -benchtime 1000x ./integration/effect
func BenchmarkDo(b *testing.B) {
	for _, d := range []database.Dialect{database.PostgreSQL, database.MariaDB, database.SQLite} {
		b.Run(string(d), func(b *testing.B) {
			db := database.New(b, d)
			table, err := effect.New(db.DB, effect.Config{Dialect: effect.Dialect(d)})
			if err == nil {
				err = table.Migrate(b.Context())
			}
			if err != nil {
				b.Fatal(err)
			}
			db.Do(b, "CREATE TABLE charges (id varchar(64) NOT NULL)")
			client := clientOf(miniredis.RunT(b).Addr(), new(atomic.Bool))
			defer client.Close()
			engine, err := replay.New(client, replay.Config{})
			if err != nil {
				b.Fatal(err)
			}

			charge := func(ctx context.Context, tx *sql.Tx) (string, error) {
				_, err := tx.ExecContext(ctx, d.Bind("INSERT INTO charges (id) VALUES (?)"), "c")
				return "charged", err
			}
			var bare, fenced, first, repeated []time.Duration
			timed := func(times *[]time.Duration, do func() error) {
				begun := time.Now()
				if err := do(); err != nil {
					b.Fatal(err)
				}
				*times = append(*times, time.Since(begun))
			}
			for i := 0; b.Loop(); i++ {
				request := replay.Request{Key: fmt.Sprint(i)}
				_, _, err := replay.Do(b.Context(), engine, request, func(ctx context.Context) (int, error) {
					for _, times := range []*[]time.Duration{&bare, &fenced} {
						timed(times, func() error {
							tx, err := db.BeginTx(ctx, nil)
							if err == nil && times == &fenced {
								err = effect.Fence(ctx, table, effect.TxOf(tx), "account")
							}
							if err == nil {
								_, err = charge(ctx, tx)
							}
							if err != nil {
								return err
							}
							return tx.Commit()
						})
					}
					for _, times := range []*[]time.Duration{&first, &repeated} {
						timed(times, func() error {
							_, _, err := effect.Do(ctx, table, "charge", charge)
							return err
						})
					}
					return 0, nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			for unit, times := range map[string][]time.Duration{
				"bare-ms": bare, "fenced-ms": fenced, "first-ms": first, "repeated-ms": repeated,
			} {
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, unit)
			}
		})
	}
}
