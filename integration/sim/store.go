package sim

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/integration/sim/minisql"
)

// A store is a process's way to the database.
type store struct {
	db    *sql.DB
	link  *minisql.Link
	table *effect.Table
}

// The user's own tables: what each request does once, and what it does each time.
var userTables = []string{
	`CREATE TABLE ledger (id text, body text, name text, call bigint)`,
	`CREATE TABLE account (id text, call bigint, fence bigint)`,
}

// openDatabase starts the database and makes its tables.
func (w *world) openDatabase(t *testing.T) {
	w.database = &minisql.Server{Committed: w.committed}
	db, _ := w.database.Open()
	defer db.Close()
	table, err := effect.New(db, w.Effects.Table)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, q := range userTables {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) closeDatabase() {
	if w.database == nil {
		return
	}
	w.history.Unfinished = w.database.Unfinished()
	w.database.Close()
	for _, db := range w.pools {
		db.Close()
	}
}

// connect gives a process its way to the database. The caller holds the world's mu, or is alone.
func (p *process) connect(t *testing.T) {
	w := p.world
	db, link := w.database.Open()
	w.pools = append(w.pools, db)
	link.Fate = p.storeFate
	table, err := effect.New(db, w.Effects.Table)
	if err != nil {
		t.Fatal(err)
	}
	p.store = &store{db, link, table}
}

// storeFate decides what befalls a statement.
func (p *process) storeFate(ctx context.Context, q minisql.Statement) minisql.Fault {
	w, c, who := p.world, callOf(ctx), "a purge"
	if c != nil {
		who = c.String()
	}
	what := strings.TrimSpace(who + ": " + strings.ToUpper(q.Verb) + " " + q.Table)
	w.mu.Lock()
	p.trips[what]++
	d, n := roll(w.Seed, "statement", p.life, what, p.trips[what]), w.Effects.Network
	w.mu.Unlock()

	f := minisql.Fault{Delay: d.upTo(n.Lag), DelayReply: d.upTo(n.Lag), Notice: n.Lag + d.upTo(n.Notice)}
	told := ""
	is := d.Float64()
	befalls := func(probability float64) bool {
		if q.Verb == "commit" {
			probability *= 4
		}
		is -= probability
		return is < 0 && is >= -probability
	}
	switch {
	case befalls(n.Lose):
		f.Lose, told = true, ", and is lost"
	case befalls(n.LoseAnswer):
		f.LoseReply, told = true, ", whose answer is lost"
	case befalls(n.Late):
		f.Late, f.Delay, told = true, d.upTo(n.Notice), ", and is late, on a connection that has broken"
	case befalls(n.Slow):
		f.Delay, told = d.upTo(n.Notice), ", and is slow"
	case q.Verb != "begin" && befalls(n.Refuse):
		f.Refuse = pick(d, minisql.ErrSerialization, minisql.ErrDeadlock)
		told = fmt.Sprintf(", and is refused: %v", f.Refuse)
	}
	if f.Lose || f.Late {
		w.history.note("%s %s is sent%s", p.name, what, told)
	}
	f.Meanwhile = func() {
		w.history.note("%s %s has reached the database%s", p.name, what, told)
		if s := p.stageOf(q); c != nil && s != nowhere {
			p.reach(c, s)
		}
	}
	return f
}

// stageOf is where a statement leaves its request.
func (p *process) stageOf(q minisql.Statement) stage {
	switch {
	case q.Verb == "commit":
		return inCommit
	case q.Table == "ledger":
		return afterEntry
	case q.Verb == "insert" && q.Table == p.store.table.Config().Name:
		return afterRow
	case q.Verb == "update":
		return afterKeep
	}
	return nowhere
}

// committed books what a transaction leaves behind.
func (w *world) committed(writes []minisql.Write) {
	h := w.history
	at := h.now()
	row := at
	for _, x := range writes {
		if ms, ok := x.Row["at"].(int64); ok && x.Table == w.Effects.Table.WithDefaults().Name {
			row = time.UnixMilli(ms).Sub(h.begun)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range writes {
		text := func(column string) string { s, _ := x.Row[column].(string); return s }
		number := func(column string) int64 { n, _ := x.Row[column].(int64); return n }
		switch x.Table {
		case "ledger":
			e := Effect{Key: text("id"), Body: text("body"), Name: text("name"), Call: int(number("call")), Row: row, At: at}
			h.Effects = append(h.Effects, e)
			h.lines = append(h.lines, line{at, fmt.Sprintf("committed: %s by #%d", e.Name, e.Call)})
		case "account":
			a := Account{Key: text("id"), Call: int(number("call")), Fence: number("fence"), At: at}
			h.Accounts = append(h.Accounts, a)
			h.lines = append(h.lines, line{at, fmt.Sprintf("committed: account %s by #%d under fence %d", a.Key, a.Call, a.Fence)})
		}
	}
}

// lookUpEffects is what Reconcile finds of a request in the ledger: all of its effects, or none.
func (w *world) lookUpEffects(c *Call) (told string) {
	for _, name := range w.Effects.Names {
		found := ""
		for _, row := range w.database.Rows("ledger") {
			if row["id"] == c.Key && row["body"] == c.Body && row["name"] == name {
				found = fmt.Sprintf(" %s by #%d", name, row["call"])
			}
		}
		if found == "" {
			return ""
		}
		told += found
	}
	return told
}

// befallDatabase makes an event happen to the database, or to a process's way to it.
func (w *world) befallDatabase(e Event, p *process) {
	from := w.history.now()
	switch e.What {
	case databaseOff:
		w.history.note("the database is away")
		w.database.Down()
		time.Sleep(e.For)
		w.history.note("the database is back")
		w.database.Up()
		w.history.mu.Lock()
		w.history.Aways = append(w.history.Aways, Trouble{From: from, To: w.history.now()})
		w.history.mu.Unlock()
	case databaseBroken:
		w.history.note("%s: its connections to the database break", p.name)
		p.store.link.Break()
	case purge:
		purged := make(chan struct{})
		go func() {
			defer close(purged)
			n, err := p.store.table.Purge(context.Background(), 0)
			if p.lives() {
				w.history.note("%s purges %d rows (%v)", p.name, n, err)
			}
		}()
		select {
		case <-purged:
		case <-p.dead:
		}
	}
}
