package integration

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// leastACL makes a user with the rights that docs/redis.md lists, less some, on every node.
func leastACL(t *testing.T, c *cluster.Cluster, user string, less ...string) {
	t.Helper()
	makeUser(t, c, "../docs/redis.md", "reprise", user, less)
}

// makeUser makes a user with the rights of one that a page lists, less some, on every node. Machines have
// a name in CLIENT LIST besides, as the tests look for it.
func makeUser(t *testing.T, c *cluster.Cluster, path, like, user string, less []string) {
	t.Helper()
	page, err := os.ReadFile(path)
	must(t, err)
	_, line, _ := strings.Cut(string(page), "\nACL SETUSER "+like+" on >PASSWORD ")
	line, _, found := strings.Cut(line, "\n")
	if !found {
		t.Fatalf("%s has no ACL of %s", path, like)
	}
	rules := slices.DeleteFunc(strings.Fields(strings.ReplaceAll(line, "reprise:*", "it-*")), func(rule string) bool { return slices.Contains(less, rule) })
	args := []any{"acl", "setuser", user, "reset", "on", ">" + user}
	for _, rule := range rules {
		args = append(args, rule)
	}
	args = append(args, "+client|setname")
	for _, n := range c.Nodes() {
		must(t, n.Client().Do(t.Context(), args...).Err())
		t.Cleanup(func() { _ = n.Client().Do(context.Background(), "acl", "deluser", user).Err() })
	}
}

// The least ACL is enough on a cluster: for all that a key goes through while its slot moves, for those
// who wait, and for Check.
func TestLeastACL(t *testing.T) {
	c := cluster.Shared(t)
	leastACL(t, c, "least")
	for name, acks := range durabilities {
		t.Run(name, func(t *testing.T) {
			f := migratesAs(t, acks, "least")
			for _, m := range f.machines {
				if err := m.engine.Check(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}

	f := newFleet(t, plan{user: "least", replay: replay.Config{Wait: time.Hour, Lock: lock.Config{TTL: time.Hour, Timeout: patience}}})
	g, running := f.hold(t, f.machines[0], pay("woken"), nil)
	waiter := f.sending(t, f.machines[1], pay("woken"))
	f.subscribed(t, "woken", 1)
	g.open()
	first := <-running
	fresh(t, first)
	replays(t, first, <-waiter)

	// Nothing of Check's is left.
	for _, n := range c.Masters(t.Context()) {
		keys, err := n.Client().Keys(t.Context(), "it-*:check-*").Result()
		if err != nil || len(keys) > 0 {
			t.Errorf("%s has %q, %v", n.Name, keys, err)
		}
	}
}

// Without asking, all goes well until a slot moves: Check knows before.
func TestACLWithoutAsking(t *testing.T) {
	c := cluster.Shared(t)
	leastACL(t, c, "unasking", "+asking")
	f := newFleet(t, plan{user: "unasking", replay: replay.Config{Lock: lock.Config{Strict: true, TTL: 20 * time.Second}}})
	wantFindings(t, f, "ASKING", 3, "+asking")
	keys := f.keysInOneSlot(2)
	fresh(t, f.send(t, f.machines[0], pay(keys[0])))

	slot, home, away := f.route(t, keys[0])
	end := f.migrate(t, slot, home, away)
	if r := f.send(t, f.machines[0], pay(keys[1])); r.status != http.StatusServiceUnavailable {
		t.Errorf("a new key in a slot that moves: %s, want 503", r)
	}
	end()
	must(t, c.Settle(t.Context()))
}

func TestACLWithoutClusterSlots(t *testing.T) {
	leastACL(t, cluster.Shared(t), "lost", "+cluster|slots")
	wantFindings(t, newFleet(t, plan{user: "lost", replay: replay.Config{Lock: lock.Config{Strict: true}}}), "CLUSTER SLOTS", 1, "+cluster|slots")
}

// wantFindings fails the test unless Check finds one setting amiss, so many times, and names its cure.
func wantFindings(t *testing.T, f *fleet, setting string, times int, cure string) {
	t.Helper()
	err := f.machines[0].engine.Check(t.Context())
	joined, _ := err.(interface{ Unwrap() []error })
	if joined == nil || len(joined.Unwrap()) != times {
		t.Fatalf("Check says %v, want %d times %s", err, times, setting)
	}
	for _, err := range joined.Unwrap() {
		if e, ok := errors.AsType[*lock.SettingError](err); !ok || e.Setting != setting || !strings.Contains(e.Cure, cure) {
			t.Errorf("Check says %v, want %s and %s", err, setting, cure)
		}
	}
}

// A client for one server serves the keys of one node, and refuses the others': Check says so.
func TestCheckKnowsANodeOfACluster(t *testing.T) {
	n := cluster.Shared(t).Node(0)
	l, err := lock.New(n.Client(), lock.Config{Strict: true})
	must(t, err)
	err = l.Check(t.Context(), "it-check:")
	if e, ok := errors.AsType[*lock.SettingError](err); !ok || e.Setting != "redis_mode" || !strings.Contains(e.Cure, "?cluster=true") {
		t.Errorf("got %v, want redis_mode", err)
	}
}

// A slot on its way to another node is no fault, even if all keys of the prefix are in it.
func TestCheckWhileTheSlotMigrates(t *testing.T) {
	f := newFleet(t, plan{})
	const prefix = "it-check:{moves}:"
	slot := cluster.Slot(prefix)
	home, err := f.cluster.MasterOf(t.Context(), prefix)
	must(t, err)
	others := slices.DeleteFunc(f.cluster.Masters(t.Context()), func(n *cluster.Node) bool { return n == home })
	end := f.migrate(t, slot, home, others[0])
	l, err := lock.New(f.machines[0].redis, lock.Config{Strict: true, TTL: 2 * patience, Timeout: patience})
	must(t, err)
	if err := l.Check(t.Context(), prefix); err != nil {
		t.Error(err)
	}
	end()
	must(t, f.cluster.Settle(t.Context()))
}
