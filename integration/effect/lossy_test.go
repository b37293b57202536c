package effect_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/integration/database"
)

// breaking is a table on a pool whose next COMMIT meets its fate, and whose connection breaks then,
// after a call of then.
func (w *world) breaking(fate database.Fate, then func()) *effect.Table {
	if w.db.Dialect == database.SQLite {
		pool := sql.OpenDB(&lossyConnector{driver: w.db.Driver(), source: w.db.Source, fate: &fate, then: then})
		w.Cleanup(func() { pool.Close() })
		return w.tableOn(pool)
	}
	proxy := w.db.Proxy(w)
	caught := proxy.Catch(fate)
	go func() {
		cut := <-caught
		then()
		cut()
	}()
	return w.tableOn(proxy.Pool(w))
}

// A lossyConnector opens a SQLite that behaves at one COMMIT as a server does whose connection breaks.
type lossyConnector struct {
	driver driver.Driver
	source string

	mu   sync.Mutex
	fate *database.Fate // of the next COMMIT
	then func()
}

func (c *lossyConnector) Driver() driver.Driver { return c.driver }

func (c *lossyConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.source)
	if err != nil {
		return nil, err
	}
	return &lossyConn{conn.(sqliteConn), c}, nil
}

type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
}

type lossyConn struct {
	sqliteConn
	connector *lossyConnector
}

func (c *lossyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteConn.BeginTx(ctx, o)
	return &lossyTx{tx, c.connector}, err
}

type lossyTx struct {
	driver.Tx
	connector *lossyConnector
}

func (tx *lossyTx) Commit() error {
	c := tx.connector
	c.mu.Lock()
	fate := c.fate
	c.fate = nil
	c.mu.Unlock()
	switch {
	case fate == nil:
		return tx.Tx.Commit()
	case *fate == database.Undelivered:
		_ = tx.Tx.Rollback()
	default:
		if err := tx.Tx.Commit(); err != nil {
			return err
		}
	}
	c.then()
	return driver.ErrBadConn
}
