package effect_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/integration/database"
	"github.com/reprise-go/reprise/replay"
)

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{}) // what fails here fails on purpose
	if given := os.Getenv(victimEnv); given != "" {
		runVictim(given)
	}
	code := m.Run()
	database.CloseShared()
	os.Exit(code)
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// A world is a Redis, which forgets nothing by itself, and a user's database, with one table of what
// was charged.
type world struct {
	*testing.T
	redis *miniredis.Miniredis
	db    *database.Database
	table *effect.Table
}

// onEach runs test on each database.
func onEach(t *testing.T, test func(*world)) {
	database.Each(t, func(t *testing.T, db *database.Database) { test(newWorld(t, db)) })
}

func newWorld(t *testing.T, db *database.Database) *world {
	w := &world{T: t, redis: miniredis.RunT(t), db: db}
	w.table = w.tableOn(db.DB)
	w.must(w.table.Migrate(w.bounded()))
	db.Do(t, "CREATE TABLE charges (id varchar(64) NOT NULL, receipt varchar(32) NOT NULL)")
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// bounded is a context for one test, long enough for a machine that is busy with other things.
func (w *world) bounded() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
	w.Cleanup(cancel)
	return ctx
}

// tableOn is another machine's table.
func (w *world) tableOn(db *sql.DB, change ...func(*effect.Config)) *effect.Table {
	w.Helper()
	cfg := effect.Config{Dialect: effect.Dialect(w.db.Dialect)}
	for _, c := range change {
		c(&cfg)
	}
	table, err := effect.New(db, cfg)
	w.must(err)
	return table
}

// A machine is a process of the API: an engine on a connection of its own.
type machine struct {
	*replay.Engine
	cut    atomic.Bool // from Redis
	mu     sync.Mutex
	events []replay.Event
}

func (w *world) machine(change ...func(*replay.Config)) *machine {
	w.Helper()
	m := &machine{}
	cfg := replay.Config{Trace: &replay.Trace{Finished: m.note}}
	for _, c := range change {
		c(&cfg)
	}
	client := clientOf(w.redis.Addr(), &m.cut)
	w.Cleanup(func() { client.Close() })
	engine, err := replay.New(client, cfg)
	w.must(err)
	m.Engine = engine
	return m
}

func (m *machine) note(_ context.Context, e replay.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, e)
}

// last is what Trace was told last.
func (m *machine) last() replay.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.events[len(m.events)-1]
}

func clientOf(addr string, cut *atomic.Bool) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: addr, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
		DisableIdentity:          true, // miniredis has no CLIENT SETINFO
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if cut.Load() {
				return nil, syscall.ECONNREFUSED
			}
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, addr)
			return &cable{conn, cut}, err
		},
	})
}

// A cable carries nothing once it is cut.
type cable struct {
	net.Conn
	cut *atomic.Bool
}

func (c *cable) Write(b []byte) (int, error) {
	if c.cut.Load() {
		c.Close()
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(b)
}

// unguarded runs work without a claim if Redis is down.
func unguarded(cfg *replay.Config) { cfg.OnStoreDown = replay.RunUnguarded }

// A receipt is the value of an effect. No two effects have the same one.
type receipt struct{ Number string }

// charge is the user's function: it writes one row for the key, and nothing that forbids a second.
func (w *world) charge(key string) func(context.Context, *sql.Tx) (receipt, error) {
	return func(ctx context.Context, tx *sql.Tx) (receipt, error) {
		r := receipt{rand.Text()}
		_, err := tx.ExecContext(ctx, w.db.Dialect.Bind("INSERT INTO charges VALUES (?, ?)"), key, r.Number)
		return r, err
	}
}

// once is the handler: it charges by the table.
func (w *world) once(table *effect.Table, key string) func(context.Context) (receipt, error) {
	return func(ctx context.Context) (receipt, error) {
		r, _, err := effect.Do(ctx, table, "charge", w.charge(key))
		return r, err
	}
}

func request(key string) replay.Request {
	return replay.Request{Scope: "shop", Key: key, Fingerprint: "one"}
}

// do asks a machine to charge under a key.
func (w *world) do(m *machine, key string) (receipt, replay.Result, error) {
	w.Helper()
	return replay.Do(w.bounded(), m.Engine, request(key), w.once(w.table, key))
}

// charged ends the test unless the key was charged once, and returns the receipt.
func (w *world) charged(key string) (r receipt) {
	w.Helper()
	if n := w.db.Int(w, "SELECT count(*) FROM charges WHERE id = ?", key); n != 1 {
		w.Fatalf("%s was charged %d times", key, n)
	}
	w.must(w.db.QueryRow(w.db.Dialect.Bind("SELECT receipt FROM charges WHERE id = ?"), key).Scan(&r.Number))
	return r
}

// want reports an answer that is not want.
func (w *world) want(want, got receipt, err error) {
	w.Helper()
	if err != nil || got != want {
		w.Errorf("the answer is %v, %v, want %v", got, err, want)
	}
}

// await ends the test if what it waits for doesn't happen.
func (w *world) await(what string, happens <-chan struct{}) {
	w.Helper()
	select {
	case <-happens:
	case <-w.bounded().Done():
		w.Fatalf("it didn't happen that %s", what)
	}
}
