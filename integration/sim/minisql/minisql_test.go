package minisql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

const (
	schema = "CREATE TABLE IF NOT EXISTS t (k varchar(10) NOT NULL, n bigint NOT NULL DEFAULT 0, PRIMARY KEY (k))"
	claim  = "INSERT INTO t (k, n) VALUES ($1, $2) ON CONFLICT DO NOTHING"
)

// run runs a test in a bubble, on a server with the table t.
func run(t *testing.T, test func(t *testing.T, s *Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := new(Server)
		t.Cleanup(func() {
			s.Close()
			time.Sleep(time.Hour)
		})
		db, _ := open(t, s)
		exec(t, db, schema)
		test(t, s)
	})
}

func open(t *testing.T, s *Server) (*sql.DB, *Link) {
	db, link := s.Open()
	t.Cleanup(func() { db.Close() })
	return db, link
}

func begin(t *testing.T, db *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

type execer interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}

// exec executes a statement that must go well, and returns how many rows it changed.
func exec(t *testing.T, on execer, sql string, args ...any) int64 {
	t.Helper()
	r, err := on.ExecContext(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := r.RowsAffected()
	return n
}

func want(t *testing.T, s *Server, n ...int64) {
	t.Helper()
	var got []int64
	for _, row := range s.Rows("t") {
		got = append(got, row["n"].(int64))
	}
	if len(got) != len(n) || len(n) > 0 && got[0] != n[0] {
		t.Errorf("the table has %v, want %v", got, n)
	}
}

func TestASecondInsertWaits(t *testing.T) {
	for _, end := range []struct {
		name     string
		do       func(*sql.Tx) error
		affected int64 // of those that wait, in their order
		then     int64
	}{
		{"for a commit, and finds the row", (*sql.Tx).Commit, 0, 0},
		{"for a rollback, and inserts its own", (*sql.Tx).Rollback, 1, 0},
	} {
		t.Run(end.name, func(t *testing.T) {
			run(t, func(t *testing.T, s *Server) {
				db, _ := open(t, s)
				first := begin(t, db)
				exec(t, first, claim, "k", 1)
				got := make(chan int64)
				for i := range 2 {
					go func() {
						time.Sleep(time.Duration(i+1) * time.Second)
						tx := begin(t, db)
						n := exec(t, tx, claim, "k", 2+i)
						if err := tx.Commit(); err != nil {
							t.Error(err)
						}
						got <- n
					}()
				}
				begun := time.Now()
				time.Sleep(time.Minute)
				if err := end.do(first); err != nil {
					t.Fatal(err)
				}
				if one, two := <-got, <-got; one != end.affected || two != end.then {
					t.Errorf("the inserts changed %d and %d rows, want %d and %d", one, two, end.affected, end.then)
				}
				if waited := time.Since(begun); waited != time.Minute {
					t.Errorf("they waited %v for a transaction of a minute", waited)
				}
				want(t, s, 1+end.affected)
			})
		})
	}
}

func TestWhatIsNotCommittedIsSeenByItsOwnOnly(t *testing.T) {
	run(t, func(t *testing.T, s *Server) {
		db, _ := open(t, s)
		tx := begin(t, db)
		exec(t, tx, claim, "k", 1)
		exec(t, tx, "UPDATE t SET n = $1 WHERE k = $2 AND n = 1", nil, "k")
		exec(t, tx, "UPDATE t SET n = 5 WHERE n IS NULL AND k = 'k'")
		if n := exec(t, tx, "UPDATE t SET n = 6 WHERE n IS NULL"); n != 0 {
			t.Errorf("%d rows are null that are not", n)
		}
		var n int64
		const query = "SELECT n FROM t WHERE k = $1"
		if err := tx.QueryRow(query, "k").Scan(&n); err != nil || n != 5 {
			t.Errorf("its own: %d, %v", n, err)
		}
		if err := db.QueryRow(query, "k").Scan(&n); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("another's: %d, %v", n, err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRow(query, "k").Scan(&n); err != nil || n != 5 {
			t.Errorf("after the commit: %d, %v", n, err)
		}
	})
}

func TestAnUpdateThatWaitedJudgesTheRowAnew(t *testing.T) {
	const grow = "INSERT INTO t (k, n) VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET n = EXCLUDED.n WHERE t.n <= EXCLUDED.n"
	run(t, func(t *testing.T, s *Server) {
		db, _ := open(t, s)
		tx := begin(t, db)
		exec(t, tx, grow, "k", 7)
		smaller := make(chan int64)
		go func() { smaller <- exec(t, db, grow, "k", 6) }()
		synctest.Wait()
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if n := <-smaller; n != 0 {
			t.Errorf("a smaller one changed %d rows", n)
		}
		want(t, s, 7)
		exec(t, db, grow, "k", 8)
		want(t, s, 8)

		tx = begin(t, db)
		exec(t, tx, "UPDATE t SET n = 9 WHERE k = $1", "k")
		go func() { smaller <- exec(t, db, "UPDATE t SET n = 1 WHERE n = 8") }()
		synctest.Wait()
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if n := <-smaller; n != 0 {
			t.Errorf("an update of what was there before changed %d rows", n)
		}
		want(t, s, 9)
	})
}

func TestLockedRowsAreWaitedForOrSkipped(t *testing.T) {
	run(t, func(t *testing.T, s *Server) {
		db, _ := open(t, s)
		exec(t, db, claim, "a", 1)
		exec(t, db, claim, "b", 1)
		tx := begin(t, db)
		if _, err := tx.Exec("SELECT n FROM t WHERE k = 'a' FOR UPDATE"); err != nil {
			t.Fatal(err)
		}
		const skip = "DELETE FROM t WHERE (k) IN (SELECT k FROM t WHERE n < 2 ORDER BY n LIMIT 9 FOR UPDATE SKIP LOCKED)"
		if n := exec(t, db, skip); n != 1 {
			t.Errorf("%d rows were deleted, and one is not locked", n)
		}
		waited := make(chan int64)
		go func() { waited <- exec(t, db, "DELETE FROM t WHERE n < 2") }()
		synctest.Wait()
		want(t, s, 1)
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if n := <-waited; n != 1 {
			t.Errorf("%d rows were deleted after the wait", n)
		}
	})
}

// What a client can't tell after its connection broke during COMMIT.
func TestACommitWhoseAnswerIsLost(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault Fault
		waits time.Duration // an insert of the same row
		finds bool          // what was committed
	}{
		{"before it arrived", Fault{Lose: true, Notice: time.Minute}, time.Minute, false},
		{"while it is on its way", Fault{Late: true, Delay: time.Minute}, time.Minute, true},
		{"after it was done", Fault{LoseReply: true, Notice: time.Minute}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, s *Server) {
				db, link := open(t, s)
				tx := begin(t, db)
				exec(t, tx, claim, "k", 1)
				link.Fate = func(_ context.Context, q Statement) (f Fault) {
					if q.Verb == "commit" {
						f = c.fault
					}
					return f
				}
				err := tx.Commit()
				if _, server := errors.AsType[*Error](err); err == nil || server || errors.Is(err, driver.ErrBadConn) {
					t.Errorf("COMMIT ends with %v", err)
				}
				link.Fate = nil
				begun := time.Now()
				if inserted := exec(t, db, claim, "k", 2); inserted == 1 == c.finds {
					t.Errorf("another insert changed %d rows", inserted)
				}
				if waited := time.Since(begun); waited != c.waits {
					t.Errorf("it waited %v, want %v", waited, c.waits)
				}
			})
		})
	}
}

func TestADeadlockHasAVictim(t *testing.T) {
	run(t, func(t *testing.T, s *Server) {
		db, _ := open(t, s)
		one, two := begin(t, db), begin(t, db)
		exec(t, one, claim, "a", 1)
		exec(t, two, claim, "b", 2)
		done := make(chan int64)
		go func() { done <- exec(t, one, claim, "b", 1) }()
		synctest.Wait()
		if _, err := two.Exec(claim, "a", 2); !errors.Is(err, ErrDeadlock) {
			t.Errorf("the last to close the circle is told: %v", err)
		}
		if n := <-done; n != 1 {
			t.Errorf("the other inserts %d rows", n)
		}
		if _, err := two.Exec(claim, "c", 2); !errors.Is(err, errAborted) {
			t.Errorf("the victim goes on: %v", err)
		}
		if err := two.Commit(); err == nil {
			t.Error("the victim commits")
		}
		if err := one.Commit(); err != nil {
			t.Fatal(err)
		}
		want(t, s, 1, 1)
	})
}

func TestARefusalUndoesTheTransaction(t *testing.T) {
	run(t, func(t *testing.T, s *Server) {
		db, link := open(t, s)
		tx := begin(t, db)
		exec(t, tx, claim, "k", 1)
		link.Fate = func(_ context.Context, q Statement) Fault { return Fault{Refuse: ErrSerialization} }
		if err := tx.Commit(); !errors.Is(err, ErrSerialization) {
			t.Errorf("COMMIT ends with %v", err)
		}
		link.Fate = nil
		if n := exec(t, db, claim, "k", 2); n != 1 {
			t.Errorf("what was refused is there: an insert changed %d rows", n)
		}
	})
}

func TestAContextEndsAWait(t *testing.T) {
	run(t, func(t *testing.T, s *Server) {
		db, _ := open(t, s)
		exec(t, begin(t, db), claim, "k", 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(ctx, claim, "k", 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the wait ends with %v", err)
		}
		synctest.Wait()
		if n := s.Unfinished(); n != 1 {
			t.Errorf("%d transactions are open, and one is not rolled back", n)
		}
	})
}

// A process that stops in a transaction keeps its rows; one that dies does until the server notices.
func TestAnOpenTransactionOutlastsItsProcess(t *testing.T) {
	run(t, func(t *testing.T, s *Server) {
		db, link := open(t, s)
		tx := begin(t, db)
		exec(t, tx, claim, "k", 1)
		link.Pause()
		go func() {
			time.Sleep(time.Hour)
			link.Resume()
		}()
		committed := make(chan error)
		go func() { committed <- tx.Commit() }()
		begun := time.Now()
		other, otherLink := open(t, s)
		if n, waited := exec(t, other, claim, "k", 2), time.Since(begun); n != 0 || waited != time.Hour {
			t.Errorf("after %v, an insert changed %d rows", waited, n)
		}
		if err := <-committed; err != nil {
			t.Error(err)
		}

		exec(t, begin(t, other), claim, "l", 3)
		otherLink.Vanish(time.Minute)
		begun = time.Now()
		if n, waited := exec(t, db, claim, "l", 4), time.Since(begun); n != 1 || waited != time.Minute {
			t.Errorf("after %v, an insert changed %d rows", waited, n)
		}
	})
}

func TestADatabaseThatCrashesKeepsWhatWasCommitted(t *testing.T) {
	run(t, func(t *testing.T, s *Server) {
		db, _ := open(t, s)
		exec(t, db, claim, "k", 1)
		tx := begin(t, db)
		exec(t, tx, claim, "l", 2)
		s.Down()
		if _, err := tx.Exec(claim, "m", 2); err == nil {
			t.Error("the transaction goes on")
		}
		if err := db.Ping(); err == nil {
			t.Error("it accepts a connection")
		}
		s.Up()
		want(t, s, 1)
		exec(t, db, claim, "l", 3)
		want(t, s, 1, 3)
	})
}

func TestCommittedTellsWhatATransactionWrote(t *testing.T) {
	run(t, func(t *testing.T, s *Server) {
		db, _ := open(t, s)
		var got [][]Write
		s.Committed = func(w []Write) { got = append(got, w) }
		tx := begin(t, db)
		exec(t, tx, claim, "b", 1)
		exec(t, tx, claim, "a", 2)
		exec(t, tx, "UPDATE t SET n = $1 WHERE k = $2", 3, "b")
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		exec(t, db, "DELETE FROM t WHERE n > 2")
		if len(got) != 2 || len(got[0]) != 2 || got[0][0].Row["n"] != int64(3) || got[0][1].Row["n"] != int64(2) || got[1][0].Row != nil {
			t.Errorf("it told %v", got)
		}
		want(t, s, 2)
	})
}

func TestSQLThatIsNotUnderstoodIsAnError(t *testing.T) {
	for _, sql := range []string{
		"", "DROP TABLE t", "SELECT n FROM", "SELECT n FROM t WHERE k", "SELECT n FROM t WHERE k =", "SELECT n FROM t LIMIT 1",
		"INSERT INTO t (k, n) VALUES ($1)", "INSERT INTO t (k) VALUES ($1) ON CONFLICT DO", "CREATE TABLE t (k text",
		"UPDATE t SET n", "DELETE t", "SELECT x FROM t", "SELECT n FROM u", "SELECT n FROM t WHERE k = $1",
	} {
		run(t, func(t *testing.T, s *Server) {
			db, _ := open(t, s)
			if _, err := db.Exec(sql); err == nil {
				t.Errorf("%q is no error", sql)
			}
		})
	}
}
