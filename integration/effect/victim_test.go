package effect_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/integration/database"
	"github.com/reprise-go/reprise/replay"
)

// victimEnv makes a process of this test binary that is killed, and has its order.
const victimEnv = "REPRISE_EFFECT_VICTIM"

// An order is what a victim has to know.
type order struct {
	Dialect database.Dialect
	Source  string
	Redis   string
	Key     string
	Stop    point // it stays there for good, and says so
}

// A point is a place in the work.
type point string

const (
	beforeInsert point = "before the row is inserted"
	afterInsert  point = "after the row is inserted"
	afterWrite   point = "after the user's write"
	atCommit     point = "at COMMIT"
	afterCommit  point = "after COMMIT, before Redis' commit"
)

// runVictim is main for a victim. It asks for one charge.
func runVictim(given string) {
	var o order
	if err := json.Unmarshal([]byte(given), &o); err != nil {
		log.Fatal(err)
	}
	if o.Dialect == database.SQLite {
		// Its COMMIT can't be caught on its way, but as it begins.
		sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, _ string) error {
			conn.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 {
				o.reach(atCommit)
				return 0
			})
			return nil
		})
	}
	if err := o.charge(); err != nil {
		log.Fatal(err)
	}
	log.Fatal("nobody killed it")
}

func (o order) reach(p point) {
	if p != o.Stop {
		return
	}
	fmt.Println("reached")
	_, _ = io.Copy(io.Discard, os.Stdin) // which the parent holds open
	log.Fatal("the parent is gone")
}

func (o order) charge() error {
	db, err := o.Dialect.Open(o.Source)
	if err != nil {
		return err
	}
	table, err := effect.New(db, effect.Config{Dialect: effect.Dialect(o.Dialect)})
	if err != nil {
		return err
	}
	engine, err := replay.New(clientOf(o.Redis, new(atomic.Bool)), replay.Config{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w := &world{db: &database.Database{DB: db, Dialect: o.Dialect}}
	_, _, err = replay.Do(ctx, engine, request(o.Key), func(ctx context.Context) (receipt, error) {
		o.reach(beforeInsert)
		r, _, err := effect.Do(ctx, table, "charge", func(ctx context.Context, tx *sql.Tx) (receipt, error) {
			o.reach(afterInsert)
			r, err := w.charge(o.Key)(ctx, tx)
			o.reach(afterWrite)
			return r, err
		})
		o.reach(afterCommit)
		return r, err
	})
	return err
}

// A victim is such a process, at its point.
type victim struct {
	*exec.Cmd
	reached chan struct{}
}

// start starts a victim, whose end the test waits for.
func (w *world) start(o order) *victim {
	w.Helper()
	o.Dialect, o.Redis = w.db.Dialect, w.redis.Addr()
	given, err := json.Marshal(o)
	w.must(err)
	self, err := os.Executable()
	w.must(err)
	v := &victim{Cmd: exec.Command(self), reached: make(chan struct{})}
	v.Env = append(os.Environ(), victimEnv+"="+string(given))
	v.Stderr = os.Stderr
	stdin, err := v.StdinPipe()
	w.must(err)
	stdout, err := v.StdoutPipe()
	w.must(err)
	w.must(v.Start())
	w.Cleanup(func() { stdin.Close() })
	go func() {
		if line, _ := bufio.NewReader(stdout).ReadString('\n'); line == "reached\n" {
			close(v.reached)
		}
	}()
	return v
}

// kill ends it by SIGKILL.
func (v *victim) kill() {
	_ = v.Process.Kill()
	_ = v.Wait()
}
