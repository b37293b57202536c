package local

import (
	"context"
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// operatorACL is the user that docs/redis.md tells operators to make, as the rules of ACL SETUSER.
func operatorACL(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/redis.md")
	must(t, err)
	_, after, _ := strings.Cut(string(page), "\nACL SETUSER operator on >PASSWORD ")
	line, _, found := strings.Cut(after, "\n")
	if !found {
		t.Fatal("docs/redis.md has no operator's ACL")
	}
	return strings.Fields(line)
}

// What an operator does.
const (
	inspects     = "inspect a claim"
	inspectsFree = "inspect a free key"
	releases     = "release"
	abandons     = "abandon"
	forgets      = "forget"
	reveals      = "reveal"
	tells        = "tell waiters"
	scans        = "scan"
	measures     = "scan with progress"
	describes    = "nodes"
	reloads      = "inspect after SCRIPT FLUSH"
)

var (
	looks = []string{inspects, inspectsFree, releases, abandons, forgets, reveals, tells, scans, measures, reloads}
	all   = append(slices.Clone(looks), describes)
)

// unable does all of it with the rights of a user, and names what fails.
func unable(t *testing.T, s *Server, rules []string) (names []string) {
	t.Helper()
	ctx := t.Context()
	args := []any{"acl", "setuser", "operator", "reset", "on", ">pass/word"}
	for _, r := range rules {
		args = append(args, r)
	}
	must(t, s.Admin.Do(ctx, args...).Err())
	admin := redis.NewClient(&redis.Options{Network: "unix", Addr: s.Socket, DB: 1, ContextTimeoutEnabled: true})
	defer admin.Close()
	must(t, admin.FlushDB(ctx).Err())
	cfg := replay.Config{Lock: lock.Config{TTL: time.Minute, Timeout: 20 * time.Second}}
	fleet, err := replay.New(admin, cfg)
	must(t, err)
	client := connect(t, "redis://operator:"+url.PathEscape("pass/word")+"@"+s.Addr+"/1").(*redis.Client)
	defer client.Close()
	operator, err := replay.New(client, cfg)
	must(t, err)

	note := func(name string, err error) {
		if err != nil {
			names = append(names, name)
		}
	}
	// The states are made, and what stands there is seen, by who may do anything.
	claim := func(key string) replay.Entry {
		text := "L1 1 1700000000000000 60000 - 0123456789abcdef0123456789abcdef"
		must(t, admin.Set(ctx, "reprise:"+fleet.Digest("", key), text, 2*time.Minute).Err())
		e, err := fleet.Inspect(ctx, "", key)
		must(t, err)
		return e
	}
	must(t, fleet.Release(ctx, claim("held"))) // and Redis knows the scripts
	claim("held")
	_, err = operator.Inspect(ctx, "", "held")
	note(inspects, err)
	_, err = operator.Inspect(ctx, "", "free")
	note(inspectsFree, err)
	note(releases, operator.Release(ctx, claim("released")))
	note(abandons, operator.Abandon(ctx, claim("abandoned")))
	_, _, err = replay.Do(ctx, fleet, replay.Request{Key: "done"}, func(context.Context) (int, error) { return 1, nil })
	must(t, err)
	done, err := fleet.Inspect(ctx, "", "done")
	must(t, err)
	_, err = operator.Reveal(ctx, done)
	note(reveals, err)
	note(forgets, operator.Forget(ctx, done))

	waited := claim("waited for")
	heard := admin.SSubscribe(ctx, waited.Key)
	defer heard.Close()
	_, err = heard.Receive(ctx)
	must(t, err)
	if err = operator.Release(ctx, waited); err == nil {
		// The next message tells whether one came before it.
		must(t, admin.SPublish(ctx, waited.Key, "the next").Err())
		var first any
		first, err = heard.Receive(ctx)
		if m, ok := first.(*redis.Message); ok && m.Payload == "the next" {
			err = errors.New("not told")
		}
	}
	note(tells, err)

	scan := func(progress func(lock.Progress)) (err error) {
		n := 0
		for _, fault := range operator.Scan(ctx, replay.Scan{Progress: progress}) {
			err = errors.Join(err, fault)
			n++
		}
		if err == nil && n < 2 {
			err = errors.New("too few")
		}
		return err
	}
	note(scans, scan(nil))
	var total int64
	err = scan(func(p lock.Progress) { total = p.Total })
	if err == nil && total == 0 {
		err = errors.New("no total")
	}
	note(measures, err)
	nodes, err := operator.Nodes(ctx)
	must(t, err)
	note(describes, nodes[0].Err)
	must(t, s.Admin.ScriptFlush(ctx).Err())
	_, err = operator.Inspect(ctx, "", "held")
	note(reloads, err)
	return names
}

// An operator's rights are enough, and each does what the page says.
func TestOperatorACL(t *testing.T) {
	s := Start(t)
	rules := operatorACL(t)
	if names := unable(t, s, rules); len(names) > 0 {
		t.Errorf("with all rights, unable to %q", names)
	}
	onClusters := []string{"+asking", "+cluster|slots", "+cluster|nodes"} // see package integration
	want := map[string][]string{
		"~reprise:*": looks,
		"+evalsha":   looks,
		"+getrange":  {inspects, releases, abandons, forgets, reveals, tells, scans, measures, reloads},
		"+strlen":    looks,
		"+pttl":      looks,
		"+time":      looks,
		"+eval":      {reloads},
		"+exists":    {inspectsFree},
		"+del":       {releases, forgets, tells},
		"+pexpire":   {abandons},
		"&reprise:*": {tells},
		"+spublish":  {tells},
		"+scan":      {scans, measures},
		"+info":      {scans, measures, describes},
		"+dbsize":    {measures, describes},
		"+ping":      {describes},
		"+select":    all,
	}
	for _, right := range rules {
		if right == "-@all" || slices.Contains(onClusters, right) {
			continue
		}
		broken, listed := want[right]
		if !listed {
			t.Errorf("%s is not tried", right)
		}
		delete(want, right)
		t.Run(right, func(t *testing.T) {
			i := slices.Index(rules, right)
			if names := unable(t, s, slices.Delete(slices.Clone(rules), i, i+1)); !slices.Equal(sorted(names), sorted(broken)) {
				t.Errorf("unable to %q, want %q", sorted(names), sorted(broken))
			}
		})
	}
	if len(want) > 0 {
		t.Errorf("the page doesn't list %v", want)
	}
}
