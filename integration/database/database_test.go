package database

import (
	"context"
	"database/sql"
	"os"
	"testing"

	"github.com/reprise-go/reprise/integration/cluster"
)

func TestMain(m *testing.M) {
	code := m.Run()
	CloseShared()
	os.Exit(code)
}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	for range 2 {
		Each(t, func(t *testing.T, db *Database) {
			db.Do(t, "CREATE TABLE charges (id int PRIMARY KEY, note varchar(10))")
			db.Do(t, "INSERT INTO charges VALUES (?, ?)", 7, "seven")
			if n := db.Int(t, "SELECT count(*) FROM charges WHERE id = ? AND note = ?", 7, "seven"); n != 1 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

// A pool sees what another has committed, and nothing else.
func TestPoolsShareWhatIsCommitted(t *testing.T) {
	Each(t, func(t *testing.T, db *Database) {
		db.Do(t, "CREATE TABLE charges (id int)")
		tx, err := db.Pool(t).Begin()
		must(t, err)
		_, err = tx.Exec("INSERT INTO charges VALUES (1)")
		must(t, err)
		if n := db.Int(t, "SELECT count(*) FROM charges"); n != 0 {
			t.Errorf("%d rows before the commit", n)
		}
		must(t, tx.Commit())
		if n := db.Int(t, "SELECT count(*) FROM charges"); n != 1 {
			t.Errorf("%d rows after it", n)
		}
	})
}

// The servers are of the version that their image's tag says.
func TestVersions(t *testing.T) {
	for d, least := range map[Dialect]string{PostgreSQL: "15", MariaDB: "10.11"} {
		t.Run(string(d), func(t *testing.T) {
			if d.Image() != kinds[d].image {
				t.Skipf("%s is of a version of its own", d.Image())
			}
			var version string
			query := "SELECT version()"
			if d == PostgreSQL {
				query = "SHOW server_version"
			}
			must(t, New(t, d).QueryRow(query).Scan(&version))
			if len(version) < len(least) || version[:len(least)] != least {
				t.Errorf("%s says that it is %s", d.Image(), version)
			}
		})
	}
}

func TestWhatIsCommittedSurvivesTheServer(t *testing.T) {
	for _, d := range []Dialect{PostgreSQL, MariaDB} {
		t.Run(string(d), func(t *testing.T) {
			cluster.RequireImage(t, d.Image())
			ctx := patient(t)
			s, err := Start(ctx, d)
			must(t, err)
			defer func() { must(t, s.Close(ctx)) }()
			db := s.New(t)
			by := db.Proxy(t).Pool(t) // the address of the server changes
			_, err = by.Exec("CREATE TABLE charges (id int)")
			must(t, err)
			tx, err := by.Begin()
			must(t, err)
			_, err = tx.Exec("INSERT INTO charges VALUES (1)")
			must(t, err)
			open, err := by.Begin()
			must(t, err)
			_, err = open.Exec("INSERT INTO charges VALUES (2)")
			must(t, err)
			must(t, tx.Commit())

			must(t, s.Kill(ctx))
			must(t, s.Restart(ctx))
			must(t, s.Ready(ctx))
			var sum int
			must(t, cluster.Eventually(ctx, "the pool has done with its old connections", func(ctx context.Context) error {
				return by.QueryRowContext(ctx, "SELECT sum(id) FROM charges").Scan(&sum)
			}))
			if sum != 1 {
				t.Errorf("the sum is %d, want that of the one that is committed", sum)
			}
		})
	}
}

func TestProxyCatchesACommit(t *testing.T) {
	for _, d := range []Dialect{PostgreSQL, MariaDB} {
		for fate, want := range map[Fate]int64{Undelivered: 0, Unanswered: 1} {
			t.Run(string(d)+map[Fate]string{Undelivered: "/undelivered", Unanswered: "/unanswered"}[fate], func(t *testing.T) {
				db := New(t, d)
				db.Do(t, "CREATE TABLE charges (id int)")
				proxy := db.Proxy(t)
				by := proxy.Pool(t)
				insert := func() *sql.Tx {
					tx, err := by.Begin()
					must(t, err)
					_, err = tx.Exec("INSERT INTO charges VALUES (1)")
					must(t, err)
					return tx
				}
				tx := insert()
				caught := proxy.Catch(fate)
				answer := make(chan error, 1)
				go func() { answer <- tx.Commit() }()
				var cut func()
				select {
				case cut = <-caught:
				case err := <-answer:
					t.Fatalf("COMMIT was answered: %v", err)
				}
				if n := db.Int(t, "SELECT count(*) FROM charges"); n != want {
					t.Errorf("%d rows when the COMMIT is caught, want %d", n, want)
				}
				select {
				case err := <-answer:
					t.Errorf("the client doesn't wait: %v", err)
				default:
				}
				cut()
				if err := <-answer; err == nil {
					t.Error("no error where the connection was cut")
				}

				// Whoever comes after it is not caught.
				must(t, insert().Commit())
				if n := db.Int(t, "SELECT count(*) FROM charges"); n != want+1 {
					t.Errorf("%d rows at the end, want %d", n, want+1)
				}
			})
		}
	}
}

func TestBind(t *testing.T) {
	for d, want := range map[Dialect]string{PostgreSQL: "a = $1 AND b = $2", MariaDB: "a = ? AND b = ?"} {
		if got := d.Bind("a = ? AND b = ?"); got != want {
			t.Errorf("%s: %s", d, got)
		}
	}
}
