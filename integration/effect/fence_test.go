package effect_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/integration/database"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// write sets the state of a resource, if the work at hand has not lost its lease to another.
func (w *world) write(ctx context.Context, resource, state string) error {
	tx, err := w.db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := effect.Fence(context.WithoutCancel(ctx), w.table, effect.TxOf(tx), resource); err != nil {
		return err
	}
	if _, err := tx.Exec(w.db.Dialect.Bind("UPDATE states SET state = ? WHERE id = ?"), state, resource); err != nil {
		return err
	}
	return tx.Commit()
}

// A holder that lost its lease comes after the one that took over: it is refused, and its write is
// not there. Who has the larger fence, or the same one again, is not.
func TestFenceRefusesWhoeverComesLate(t *testing.T) {
	onEach(t, func(w *world) {
		w.db.Do(w, "CREATE TABLE states (id varchar(64) PRIMARY KEY, state varchar(16) NOT NULL)")
		w.db.Do(w, "INSERT INTO states VALUES ('account/42', ''), ('account/43', '')")
		state := func(id string) (s string) {
			w.must(w.db.QueryRow(w.db.Dialect.Bind("SELECT state FROM states WHERE id = ?"), id).Scan(&s))
			return s
		}
		a, b := w.machine(leasing(longLease)), w.machine()
		early, resume, late := make(chan error, 2), make(chan struct{}), make(chan error, 2)
		go func() {
			_, _, err := replay.Do(w.bounded(), a.Engine, request("k"), func(ctx context.Context) (int, error) {
				early <- errors.Join(w.write(ctx, "account/42", "a"), w.write(ctx, "account/42", "a again"))
				<-resume
				late <- w.write(ctx, "account/42", "a, late")
				late <- w.write(ctx, "account/43", "a, alone")
				return 0, nil
			})
			early <- err // if the work has not begun, this is why
		}()
		w.must(<-early)
		if got := state("account/42"); got != "a again" {
			w.Errorf("the state is %q", got)
		}
		a.cut.Store(true)
		w.redis.FastForward(longLease)
		_, _, err := replay.Do(w.bounded(), b.Engine, request("k"), func(ctx context.Context) (int, error) {
			return 0, w.write(ctx, "account/42", "b")
		})
		w.must(err)
		close(resume)
		if err := <-late; !errors.Is(err, lock.ErrLost) {
			w.Errorf("the late one: %v", err)
		}
		if err := <-late; err != nil {
			w.Errorf("on a resource that nobody else has written to: %v", err)
		}
		if got := state("account/42"); got != "b" {
			w.Errorf("the state is %q, want that of the one that took over", got)
		}
	})
}

func TestFenceWithoutAClaim(t *testing.T) {
	onEach(t, func(w *world) {
		m := w.machine(unguarded)
		w.redis.Close()
		_, _, err := replay.Do(w.bounded(), m.Engine, request("k"), func(ctx context.Context) (int, error) {
			return 0, w.write(ctx, "account/42", "")
		})
		if !errors.Is(err, effect.ErrUnguarded) {
			w.Errorf("the error is %v", err)
		}
	})
}

// Purge also deletes what Fence remembers, when it is old.
func TestPurgeOfFences(t *testing.T) {
	onEach(t, func(w *world) {
		w.db.Do(w, "INSERT INTO reprise_effects_fences VALUES ('old', 1, 1)")
		w.db.Do(w, "INSERT INTO reprise_effects_fences VALUES ('new', 1, ?)", time.Now().UnixMilli())
		if n, err := w.table.Purge(w.bounded(), 0); n != 1 || err != nil {
			w.Errorf("%d deleted, %v", n, err)
		}
		if n := w.db.Int(w, "SELECT count(*) FROM reprise_effects_fences WHERE resource = 'new'"); n != 1 {
			w.Error("a fence of now is gone")
		}
	})
}

// A purge of fences passes over those that are young, even if a transaction has one of them: neither
// does it wait for that, nor does another holder wait for the purge.
func TestPurgeOfFencesBesideAFence(t *testing.T) {
	onEach(t, func(w *world) {
		if w.db.Dialect == database.SQLite {
			return // one transaction writes at a time
		}
		now := time.Now().UnixMilli()
		w.db.Do(w, "INSERT INTO reprise_effects_fences VALUES ('a', 1, ?), ('b', 1, ?), ('old', 1, 1)", now, now)
		tx, err := w.db.BeginTx(w.bounded(), nil)
		w.must(err)
		defer tx.Rollback()
		_, err = tx.Exec("UPDATE reprise_effects_fences SET fence = 2 WHERE resource = 'b'")
		w.must(err)
		ctx, cancel := context.WithTimeout(w.bounded(), 10*time.Second)
		defer cancel()
		if n, err := w.table.Purge(ctx, 0); n != 1 || err != nil {
			w.Errorf("%d deleted, %v", n, err)
		}
	})
}
