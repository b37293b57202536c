package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// leastACL is the user that docs/redis.md tells operators to make, as the rules of ACL SETUSER.
func leastACL(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "\nACL SETUSER reprise on >PASSWORD ")
	line, _, found := strings.Cut(after, "\n")
	if !found {
		t.Fatal("docs/redis.md has no least ACL")
	}
	return strings.Fields(line)
}

// A visitor is a user of its own, with its connections.
type visitor struct {
	client *redis.Client
	cfg    replay.Config
	asked  atomic.Int64 // scripts
}

// visit makes a user of these rules.
func visit(t *testing.T, s *Server, acks int, rules []string) *visitor {
	t.Helper()
	args := []any{"acl", "setuser", "reprise", "reset", "on", ">pass/word"}
	for _, r := range rules {
		args = append(args, r)
	}
	if err := s.Admin.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	v := &visitor{client: connect(t, "redis://reprise:"+url.PathEscape("pass/word")+"@"+s.Addr+"/1").(*redis.Client)}
	v.client.AddHook(counter{v})
	v.cfg.Lock = lock.Config{Strict: true, TTL: time.Minute, Renew: 100 * time.Millisecond, Timeout: 20 * time.Second, Acks: acks}
	if acks > 0 {
		v.cfg.Lock.AckWithin = 2 * time.Second // less than the client's ReadTimeout
	}
	return v
}

type counter struct{ *visitor }

func (counter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			c.asked.Add(1)
		}
		return next(ctx, cmd)
	}
}

func (counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// What a service does.
const (
	first    = "first request"
	replayed = "replay"
	long     = "long replay"
	conflict = "conflict"
	wait     = "waiting without polling"
	renewal  = "renewal"
	failure  = "failed attempt"
	giveBack = "key given back"
	flushed  = "first request after SCRIPT FLUSH"
)

var (
	everything = []string{first, replayed, long, conflict, wait, renewal, failure, giveBack, flushed}
	newKeys    = []string{first, renewal, failure, giveBack, flushed} // what begins with a grant
)

// broken does all of it with the user's rights, and names what fails. The states that it takes are made
// by the admin, who may do anything.
func (v *visitor) broken(t *testing.T, s *Server) (names []string) {
	t.Helper()
	ctx := t.Context()
	admin := redis.NewClient(&redis.Options{Network: "unix", Addr: s.Socket, DB: 1, ContextTimeoutEnabled: true})
	defer admin.Close()
	must(t, admin.FlushDB(ctx).Err())
	plain := v.cfg.Lock
	plain.Acks, plain.AckWithin = 0, 0
	others, err := lock.New(admin, plain)
	must(t, err)
	must(t, others.Check(ctx, "reprise:")) // and Redis knows the scripts
	var suspended atomic.Bool
	cfg := v.cfg.Lock
	cfg.Trace = &lock.Trace{Suspended: func(*lock.Lease, error) { suspended.Store(true) }}
	own, err := lock.New(v.client, cfg)
	must(t, err)

	keep := func(l *lock.Locker, key, value string) error {
		lease, err := l.TryAcquire(ctx, key, lock.Terms{})
		if err == nil {
			_, err = lease.Commit(ctx, []byte(value), time.Hour)
		}
		return err
	}
	finds := func(key string) error {
		_, err := own.TryAcquire(ctx, key, lock.Terms{})
		if done, ok := errors.AsType[*lock.DoneError](err); ok && done.Value != "" {
			return nil
		}
		return fmt.Errorf("not done: %w", err)
	}
	note := func(name string, err error) {
		if err != nil {
			names = append(names, name)
		}
	}

	note(first, keep(own, "reprise:first", "value"))
	must(t, keep(others, "reprise:done", "value"))
	note(replayed, finds("reprise:done"))
	must(t, keep(others, "reprise:long", strings.Repeat("value", 20<<10)))
	note(long, finds("reprise:long"))

	held, err := others.TryAcquire(ctx, "reprise:held", lock.Terms{})
	must(t, err)
	_, err = own.TryAcquire(ctx, "reprise:held", lock.Terms{})
	isHeld := errors.Is(err, lock.ErrHeld)
	if !isHeld {
		names = append(names, conflict)
	}
	if isHeld {
		note(wait, v.listens(t, own, admin, "reprise:held"))
	} else {
		names = append(names, wait)
	}
	must(t, held.Release(ctx))

	lease, err := own.TryAcquire(ctx, "reprise:renewed", lock.Terms{})
	if err == nil {
		last := time.Duration(1 << 62)
		must(t, cluster.Eventually(ctx, "a renewal succeeds, or fails", func(context.Context) error {
			now := admin.PTTL(ctx, "reprise:renewed").Val()
			if now > last || suspended.Load() {
				return nil
			}
			last = now
			return errors.New("neither")
		}))
		if suspended.Load() {
			err = errors.New("suspended")
		}
		_ = lease.Abandon(ctx)
	}
	note(renewal, err)
	if lease, err = own.TryAcquire(ctx, "reprise:failed", lock.Terms{}); err == nil {
		err = lease.Abandon(ctx)
	}
	note(failure, err)
	if lease, err = own.TryAcquire(ctx, "reprise:back", lock.Terms{}); err == nil {
		err = lease.Release(ctx)
	}
	note(giveBack, err)
	must(t, s.Admin.ScriptFlush(ctx).Err())
	note(flushed, keep(own, "reprise:flushed", "value"))
	return names
}

// listens fails for one who waits by asking again and again.
func (v *visitor) listens(t *testing.T, own *lock.Locker, admin *redis.Client, key string) error {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { _, _ = own.Acquire(ctx, key, lock.Terms{}); close(ended) }()
	defer func() { cancel(); <-ended }()
	before := v.asked.Load()
	var polls bool
	must(t, cluster.Eventually(ctx, "the waiter listens, or polls", func(ctx context.Context) error {
		// It asks when it comes, and once more when its subscription stands.
		if polls = v.asked.Load()-before > 4; polls || admin.PubSubShardNumSub(ctx, key).Val()[key] == 1 {
			return nil
		}
		return errors.New("neither")
	}))
	if polls {
		return errors.New("it polls")
	}
	return nil
}

// The least ACL is enough, and whoever takes a right away breaks what the page says, and is told by Check.
func TestLeastACL(t *testing.T) {
	primary := Start(t)
	host, port, _ := net.SplitHostPort(primary.Addr)
	replica := Start(t, "--replicaof", host+" "+port)
	must(t, cluster.Eventually(t.Context(), "the replica follows", func(ctx context.Context) error {
		info, err := replica.Admin.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(info, "master_link_status:up") {
			err = errors.New(info)
		}
		return err
	}))
	rules := leastACL(t)

	for _, acks := range []int{0, 1} {
		v := visit(t, primary, acks, rules)
		if broken := v.broken(t, primary); len(broken) > 0 {
			t.Errorf("with all rights and %d acks, broken: %q", acks, broken)
		}
		must(t, v.check(t))
	}

	for right, without := range map[string]struct {
		broken  []string
		finding string // of Check; empty: the right's name
		acks    int
	}{
		"~reprise:*":    {broken: everything, finding: "ACL"},
		"&reprise:*":    {broken: []string{wait}, finding: "SPUBLISH SSUBSCRIBE"},
		"+evalsha":      {broken: everything},
		"+eval":         {broken: []string{flushed}},
		"+get":          {broken: everything},
		"+set":          {broken: newKeys},
		"+strlen":       {broken: everything},
		"+exists":       {broken: newKeys},
		"+del":          {broken: []string{giveBack}},
		"+pttl":         {broken: []string{conflict, wait, renewal, failure}},
		"+pexpire":      {broken: []string{renewal, failure}},
		"+time":         {broken: newKeys},
		"+spublish":     {broken: []string{wait}},
		"+ssubscribe":   {broken: []string{wait}},
		"+sunsubscribe": {}, // it tells who comes later
		"+info":         {},
		"+wait":         {broken: everything, acks: 1},
		"+select":       {broken: everything},
	} {
		t.Run(right, func(t *testing.T) {
			i := slices.Index(rules, right)
			if i < 0 {
				t.Fatal("it is none of the page's")
			}
			v := visit(t, primary, without.acks, slices.Delete(slices.Clone(rules), i, i+1))
			if broken := v.broken(t, primary); !slices.Equal(sorted(broken), sorted(without.broken)) {
				t.Errorf("broken is %q, want %q", broken, without.broken)
			}
			want := strings.Fields(cmp.Or(without.finding, strings.ToUpper(right[1:])))
			err := v.check(t)
			var found []string
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				for _, err := range joined.Unwrap() {
					if e, ok := errors.AsType[*lock.SettingError](err); ok {
						found = append(found, e.Setting)
						if !strings.Contains(e.Cure, right) {
							t.Errorf("the cure doesn't name %s: %v", right, e)
						}
					}
				}
			}
			if !slices.Equal(found, want) {
				t.Errorf("Check finds %q: %v", found, err)
			}
		})
	}
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

func (v *visitor) check(t *testing.T) error {
	t.Helper()
	engine, err := replay.New(v.client, v.cfg)
	must(t, err)
	return engine.Check(t.Context())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
