package integration

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// commitFailures tells of each try to store an answer that failed.
func commitFailures() (*replay.Trace, <-chan error) {
	failures := make(chan error, 1)
	return &replay.Trace{CommitFailed: func(_ context.Context, err error) {
		select {
		case failures <- err:
		default: // one will do
		}
	}}, failures
}

func TestRedisOutOfMemory(t *testing.T) {
	trace, failures := commitFailures()
	f := newFleet(t, plan{replay: replay.Config{Trace: trace}})
	f.refusedWrites(t, failures, "OOM", f.setting(t, "maxmemory", "1", "0"))
}

func TestRedisShortOfReplicas(t *testing.T) {
	trace, failures := commitFailures()
	f := newFleet(t, plan{replay: replay.Config{Trace: trace}})
	f.refusedWrites(t, failures, "NOREPLICAS", f.setting(t, "min-replicas-to-write", "5", "0"))
}

// A plain Redis that has become a replica, as a client that missed a failover finds it.
func TestRedisReadOnly(t *testing.T) {
	cluster.Require(t)
	s, err := cluster.StartSingle(bounded(t))
	must(t, err)
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	operator := s.Client()
	t.Cleanup(func() { _ = operator.Close() })
	trace, failures := commitFailures()
	f := assemble(t, plan{replay: replay.Config{Trace: trace}}, func(m *machine) redis.UniversalClient {
		client := s.Client()
		client.AddHook(m.trips)
		return client
	})
	f.refusedWrites(t, failures, "READONLY", func(bad bool) {
		of := []any{"replicaof", "no", "one"}
		if bad {
			of = []any{"replicaof", "127.0.0.1", "1"}
		}
		must(t, operator.Do(t.Context(), of...).Err())
	})
}

// setting changes a setting of every primary, and back; at the end of the test it is back in any
// case.
func (f *fleet) setting(t *testing.T, name, bad, good string) func(bad bool) {
	t.Helper()
	set := func(ctx context.Context, value string) error {
		var errs []error
		for _, n := range f.cluster.Nodes() {
			errs = append(errs, n.Client().ConfigSet(ctx, name, value).Err())
		}
		return errors.Join(errs...)
	}
	t.Cleanup(func() {
		if err := set(context.Background(), good); err != nil {
			t.Error(err)
		}
	})
	return func(isBad bool) {
		t.Helper()
		value := good
		if isBad {
			value = bad
		}
		must(t, set(t.Context(), value))
	}
}

// refusedWrites is what holds while Redis can be read and not be written: what is known is still
// answered, nothing new runs, and work in flight is stored when Redis can be written again.
func (f *fleet) refusedWrites(t *testing.T, failures <-chan error, reason string, refuse func(bool)) {
	t.Helper()
	const answered, held, unused = "answered", "held", "unused"
	first := f.send(t, f.machines[0], pay(answered))
	fresh(t, first)
	g, running := f.hold(t, f.machines[0], pay(held), nil)

	refuse(true)
	for _, m := range f.machines {
		replays(t, first, f.send(t, m, pay(answered)))
		mismatch(t, f.send(t, m, other(answered)))
		inProgress(t, f.send(t, m, pay(held)))
		r := f.send(t, m, pay(unused))
		unavailable(t, r)
		if strings.Contains(r.body, reason) {
			t.Errorf("what Redis said reached the client: %s", r)
		}
	}
	f.ledger.never(t, unused)
	g.open()
	select {
	case err := <-failures:
		if !errors.Is(err, lock.ErrUnavailable) || !strings.Contains(err.Error(), reason) {
			t.Errorf("the commit failed with %v, want %s", err, reason)
		}
	case r := <-running:
		t.Fatalf("answered without being stored: %s", r)
	}
	refuse(false)

	second := <-running
	fresh(t, second)
	for _, m := range f.machines {
		replays(t, second, f.send(t, m, pay(held)))
	}
	fresh(t, f.send(t, f.machines[1], pay(unused))) // nothing was left behind
	if charges := f.ledger.of(unused); len(charges) != 1 || charges[0].attempt != 1 {
		t.Errorf("want one run that is the first attempt: %+v", charges)
	}
	f.ledger.once(t, answered, held)
}

// A node that is paused takes its own keys with it, and only as long as it lasts.
func TestPausedNode(t *testing.T) {
	trace, failures := commitFailures()
	f := newFleet(t, plan{
		replay: replay.Config{Trace: trace},
		each: func(i int, c *replay.Config) {
			c.Lock = lock.Config{TTL: patience, Timeout: 500 * time.Millisecond}
			if i > 0 {
				c.Lock.TTL = 2 * time.Second
			}
		},
	})
	node, keys := f.keysOnOneNode(t, 4)
	answered, held, unused := keys[0], keys[1], keys[2]
	elsewhere := "elsewhere"
	for f.master(t, elsewhere) == node {
		elsewhere += "+"
	}
	beside := elsewhere + "+"
	for f.master(t, beside) != f.master(t, elsewhere) {
		beside += "+"
	}
	// Round trips are short here, too short perhaps to open a connection first.
	for _, m := range f.machines {
		for _, warm := range []string{keys[3], beside} {
			eventually(t, m.name+" is connected", func(context.Context) error {
				if r := f.send(t, m, pay(warm)); r.status != http.StatusCreated {
					return errors.New(r.String())
				}
				return nil
			})
		}
	}
	first := f.send(t, f.machines[0], pay(answered))
	fresh(t, first)
	for _, m := range f.machines {
		replays(t, first, f.send(t, m, pay(answered)))
	}
	g, running := f.hold(t, f.machines[0], pay(held), nil)

	f.client.Timeout = patience
	must(t, node.Pause(t.Context()))
	unpause := sync.OnceValue(func() error { return node.Unpause(context.Background()) })
	t.Cleanup(func() {
		if err := errors.Join(unpause(), f.cluster.Settle(context.Background())); err != nil {
			t.Error(err)
		}
	})
	replies := []<-chan reply{f.sending(t, f.machines[1], pay(unused)), f.sending(t, f.machines[2], pay(unused))}
	g.open()
	select {
	case <-failures:
	case r := <-running:
		t.Fatalf("answered without being stored: %s", r)
	}
	for _, c := range replies {
		unavailable(t, <-c)
	}
	f.ledger.never(t, unused)
	fresh(t, f.send(t, f.machines[1], pay(elsewhere)))
	must(t, unpause())

	second := <-running
	fresh(t, second)
	var third reply
	eventually(t, "the key is to be had", func(context.Context) error {
		// What was sent to the node while it was paused may have taken effect, for nobody.
		third = f.send(t, f.machines[1], pay(unused))
		if third.status != http.StatusCreated {
			return errors.New(third.String())
		}
		return nil
	})
	fresh(t, third)
	eventually(t, "all is replayed", func(context.Context) error {
		for key, first := range map[string]reply{answered: first, held: second, unused: third} {
			for _, m := range f.machines {
				if again := f.send(t, m, pay(key)); !again.replayed() || !first.same(again) {
					return errors.New(again.String())
				}
			}
		}
		return nil
	})
	f.ledger.once(t, answered, held, elsewhere, unused)
}
