package sim

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/reprise-go/reprise/effect"
)

// transact has the work's effects in the database: each once by effect.Do, and one each time, which
// Fence guards. Work that doesn't end with its context has them after it, too.
func (w *work) transact(ctx context.Context) error {
	if !w.call.Obeys {
		ctx = context.WithoutCancel(ctx)
	}
	for _, name := range w.process.world.Effects.Names {
		if err := w.do(ctx, name); err != nil {
			return err
		}
	}
	if !w.call.Fenced {
		return nil
	}
	if p := w.process; w.call.Stalls && p.lives() {
		go p.world.befall(Event{What: stops, For: 2 * p.world.Engine.Lock.TTL}, p)
	}
	if !w.spend(ctx, w.call.Inside) {
		return context.Cause(ctx)
	}
	return w.writeAccount(ctx)
}

// do has one effect, and books what is told of it.
func (w *work) do(ctx context.Context, name string) error {
	c, h := w.call, w.process.world.history
	d := &Deed{Name: name, Began: h.now(), Err: errWork} // if it panics
	defer func() {
		if !w.process.sleep(0) {
			return
		}
		d.Ended, d.Left = h.now(), ctx.Err() != nil
		c.Deeds = append(c.Deeds, d)
		h.note("%s %v is told of its %s: %s, repeated %v (%v)", w.process.name, c, name, d.Value, d.Result.Repeated, d.Err)
	}()
	d.Value, d.Result, d.Err = effect.Do(ctx, w.process.store.table, name, func(ctx context.Context, tx *sql.Tx) (string, error) {
		d.Tried = append(d.Tried, h.now())
		return w.charge(ctx, tx, name)
	})
	if d.Err == nil {
		w.effects += " " + d.Value
	}
	return d.Err
}

// charge is the effect: an entry in the ledger, and the time that it takes.
func (w *work) charge(ctx context.Context, tx *sql.Tx, name string) (string, error) {
	c, names := w.call, w.process.world.Effects.Names
	const entry = `INSERT INTO ledger (id, body, name, call) VALUES ($1, $2, $3, $4)`
	if _, err := tx.ExecContext(ctx, entry, c.Key, c.Body, name, c.ID); err != nil {
		return "", err
	}
	if !w.spend(ctx, c.Inside) {
		return "", context.Cause(ctx)
	}
	if last := name == names[len(names)-1]; last && c.Undo == fails {
		return "", errWork
	} else if last && c.Undo == panics {
		panic(errWork)
	}
	return fmt.Sprintf("%s by #%d", name, c.ID), nil
}

// writeAccount writes what every request writes anew. Without a claim nothing could keep it from
// coming late, and it is left.
func (w *work) writeAccount(ctx context.Context) error {
	c, s := w.call, w.process.store
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	err = effect.Fence(ctx, s.table, effect.TxOf(tx), "account/"+c.Key)
	if errors.Is(err, effect.ErrUnguarded) {
		return nil
	}
	if err != nil {
		return err
	}
	const write = `INSERT INTO account (id, call, fence) VALUES ($1, $2, $3)`
	if _, err := tx.ExecContext(ctx, write, c.Key, c.ID, c.Run.Fence); err != nil {
		return err
	}
	return tx.Commit()
}
