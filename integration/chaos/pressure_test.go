package chaos

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/cluster"
)

// In all of these Redis forgets nothing, and leases are longer than the fault: each key runs once.

func TestRedisFull(t *testing.T) {
	rows := underPressure(t, "6a Redis full (maxmemory)", func(ctx context.Context, f *fleet) {
		must(t, f.leave(ctx, 1<<20))
		keys := f.fill(ctx, 64<<10)
		f.log("full")
		// What gets free by itself is filled too, to the last of what a claim would need.
		f.repeat(ctx, 4*time.Second, time.Millisecond, func() error {
			keys = append(keys, f.fill(ctx, 64)...)
			return nil
		})
		f.log("still full")
		f.empty(ctx, keys)
	})
	for _, r := range rows {
		r.felt(t, r.count.errors)
	}
}

func TestRedisRefusesWrites(t *testing.T) {
	rows := underPressure(t, "6b writes refused (min-replicas-to-write)", func(ctx context.Context, f *fleet) {
		must(t, f.configure(ctx, "min-replicas-to-write", "2"))
		lasts(ctx, 4*time.Second)
		must(t, f.configure(ctx, "min-replicas-to-write", "0"))
	})
	for _, r := range rows {
		r.felt(t, r.count.errors)
	}
}

func TestScriptsFlushed(t *testing.T) {
	underPressure(t, "6c SCRIPT FLUSH in a loop", func(ctx context.Context, f *fleet) {
		f.repeat(ctx, 5*time.Second, 5*time.Millisecond, func() error { return f.cluster.FlushScripts(ctx) })
	})
}

func TestClientsKilled(t *testing.T) {
	var killed int64
	rows := underPressure(t, "6d CLIENT KILL TYPE normal in a loop", func(ctx context.Context, f *fleet) {
		f.repeat(ctx, 5*time.Second, 100*time.Millisecond, func() error {
			for _, n := range f.cluster.Nodes() {
				clients, err := n.Client().ClientKillByFilter(ctx, "TYPE", "normal").Result()
				if err != nil {
					return err
				}
				killed += clients
			}
			return nil
		})
	})
	t.Logf("%d connections killed", killed)
	rows[0].felt(t, int(killed))
}

func TestBadNetwork(t *testing.T) {
	resets := 0
	rows := underPressure(t, "6e 200 ms ± 200 ms, 1 % resets", func(ctx context.Context, f *fleet) {
		for _, m := range f.machines {
			m.proxy.set(weather{delay: 200 * time.Millisecond, resets: 0.01})
		}
		lasts(ctx, 8*time.Second)
		for _, m := range f.machines {
			m.proxy.set(weather{})
			resets += m.proxy.resets
		}
	})
	t.Logf("%d resets", resets)
	rows[0].felt(t, resets)
}

func underPressure(t *testing.T, scenario string, press func(context.Context, *fleet)) (rows []row) {
	t.Helper()
	c, ctx := cluster.Shared(t), bounded(t)
	f := newFleet(t, c, unacked(inDefault))
	// Whatever happens, the cluster is left as it was.
	t.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(f.configure(ctx, "maxmemory", "0"), f.configure(ctx, "min-replicas-to-write", "0")); err != nil {
			t.Error(err)
		}
	})
	loads := f.under(ctx, func(ctx context.Context) {
		heal := f.breaks()
		press(ctx, f)
		heal()
		f.log("over")
	})
	for _, l := range loads {
		r := row{scenario: scenario, mode: l.mode.Name, count: l.count(defaultLease, f.windows)}
		report(t, r)
		r.once(t)
		rows = append(rows, r)
	}
	return rows
}

// repeat does something again and again for a while, with pauses.
func (f *fleet) repeat(ctx context.Context, long, pause time.Duration, do func() error) {
	f.t.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); lasts(ctx, pause) {
		must(f.t, do())
	}
}

// configure changes a setting of all nodes.
func (f *fleet) configure(ctx context.Context, name, value string) error {
	var errs []error
	for _, n := range f.cluster.Nodes() {
		errs = append(errs, n.Client().ConfigSet(ctx, name, value).Err())
	}
	return errors.Join(errs...)
}

// leave lets every node use so much more memory.
func (f *fleet) leave(ctx context.Context, memory int) error {
	for _, n := range f.cluster.Nodes() {
		info, err := n.Client().InfoMap(ctx, "memory").Result()
		if err != nil {
			return err
		}
		used, err := strconv.Atoi(info["Memory"]["used_memory"])
		if err != nil {
			return err
		}
		if err := n.Client().ConfigSet(ctx, "maxmemory", strconv.Itoa(used+memory)).Err(); err != nil {
			return err
		}
	}
	return nil
}

// fill writes values of one size until every primary refuses one. It returns the keys that it wrote.
func (f *fleet) fill(ctx context.Context, size int) (keys []string) {
	f.t.Helper()
	value := bytes.Repeat([]byte("x"), size)
	for _, n := range f.cluster.Masters(ctx) {
		slots := f.slotsOf(n)
		for {
			key := f.prefix + "-fill-" + rand.Text()
			if slot := cluster.Slot(key); !slices.ContainsFunc(slots, func(r [2]int) bool { return r[0] <= slot && slot <= r[1] }) {
				continue
			}
			err := n.Client().Set(ctx, key, value, time.Hour).Err()
			if redis.HasErrorPrefix(err, "OOM") {
				break
			}
			must(f.t, err)
			keys = append(keys, key)
		}
	}
	return keys
}

func (f *fleet) empty(ctx context.Context, keys []string) {
	f.t.Helper()
	client := f.cluster.Client()
	defer client.Close()
	_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, key := range keys {
			pipe.Unlink(ctx, key)
		}
		return nil
	})
	must(f.t, errors.Join(err, f.configure(ctx, "maxmemory", "0")))
}
