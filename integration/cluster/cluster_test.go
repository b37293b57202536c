package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestMain(m *testing.M) {
	if os.Getenv(dieEnv) != "" {
		dieHoldingAContainer()
	}
	code := m.Run()
	CloseShared()
	os.Exit(code)
}

func TestEveryNodeIsReachedThroughLoopback(t *testing.T) {
	c, ctx := Shared(t), deadline(t)
	client := newClient(t, c)

	var mu sync.Mutex
	reached := map[string]int{}
	ask := func(ctx context.Context, node *redis.Client) error {
		id, err := node.ClusterMyID(ctx).Result()
		mu.Lock()
		defer mu.Unlock()
		reached[id]++
		return err
	}
	if err := client.ForEachShard(ctx, ask); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes() {
		if reached[n.ID] != 1 {
			t.Errorf("%s (%s, published as %s) was reached %d times", n.Name, n.Announced(), n.Published(), reached[n.ID])
		}
	}
	if primaries := c.Masters(ctx); len(primaries) != 3 {
		t.Errorf("%d primaries, want 3", len(primaries))
	}
}

func TestAllSlotsAreServed(t *testing.T) {
	c, ctx := Shared(t), deadline(t)
	client := newClient(t, c)

	// One key for every slot.
	keys := make(map[int]string, Slots)
	for i := 0; len(keys) < Slots; i++ {
		key := "all:" + strconv.Itoa(i)
		keys[Slot(key)] = key
	}
	write := client.Pipeline()
	for _, key := range keys {
		write.Set(ctx, key, key, time.Minute)
	}
	if _, err := write.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	for slot, key := range keys {
		if slot%512 != 0 { // all were written; some are read back from the node that we say has them
			continue
		}
		master, err := c.MasterOf(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := master.Client().Get(ctx, key).Result(); got != key || err != nil {
			t.Errorf("slot %d at %s: %q, %v", slot, master.Name, got, err)
		}
	}
}

func TestClientsShareNothing(t *testing.T) {
	c, ctx := Shared(t), deadline(t)
	first, second := newClient(t, c), newClient(t, c, func(o *redis.ClusterOptions) { o.MaxRetries = -1 })
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Set(ctx, "shared:nothing", 1, time.Minute).Err(); err != nil {
		t.Errorf("a client ended with another: %v", err)
	}
	if !second.Options().ContextTimeoutEnabled || second.Options().MaxRetries != -1 {
		t.Errorf("options: %+v", second.Options())
	}
}

func TestSlotIsRedis(t *testing.T) {
	c, ctx := Shared(t), deadline(t)
	for _, key := range []string{"", "a", "123456789", "{user}:1", "a{user}b{x}", "{}a", "a{}", "{a", "}a{", "{{a}}", "\x00\xff", "ключ"} {
		want, err := c.Node(0).Client().ClusterKeySlot(ctx, key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if got := Slot(key); got != int(want) {
			t.Errorf("Slot(%q) = %d, Redis says %d", key, got, want)
		}
	}
}

func TestFlushScriptsReachesReplicas(t *testing.T) {
	c, ctx := Shared(t), deadline(t)
	var sha string
	for _, n := range c.Nodes() {
		var err error
		if sha, err = n.Client().ScriptLoad(ctx, "return 'flush me'").Result(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.FlushScripts(ctx); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes() {
		if known, err := n.Client().ScriptExists(ctx, sha).Result(); err != nil || known[0] {
			t.Errorf("%s: %v, %v", n.Name, known, err)
		}
	}
}

func TestFailoverOfAKilledPrimary(t *testing.T) {
	c, ctx := Shared(t), deadline(t)
	client := newClient(t, c)
	const key = "failover"
	killed, err := c.MasterOf(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	err = Eventually(ctx, "a replica took over", func(ctx context.Context) error {
		now, err := c.MasterOf(ctx, key)
		if err == nil && now == killed {
			err = errors.New("the killed node still serves")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = Eventually(ctx, "the client finds the new primary", func(ctx context.Context) error {
		client.ReloadState(ctx)
		return client.Set(ctx, key, 1, time.Minute).Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestPausedNodeComesBack(t *testing.T) {
	c, ctx := Shared(t), deadline(t)
	paused, err := c.MasterOf(ctx, "pause")
	if err != nil {
		t.Fatal(err)
	}
	if err := paused.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	brief, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := paused.Client().Ping(brief).Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ping of a paused node: %v, want its deadline", err)
	}
	if err := paused.Unpause(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

// Once a cluster is whole, it takes no node for dead that is only slow, until a test wants that.
func TestNoNodeIsSoonMissed(t *testing.T) {
	c, ctx := Shared(t), deadline(t)
	missed := func(want time.Duration) {
		t.Helper()
		for _, n := range c.Nodes() {
			got, err := n.Client().ConfigGet(ctx, "cluster-node-timeout").Result()
			if err != nil || got["cluster-node-timeout"] != millis(want) {
				t.Errorf("%s: %v, %v, want %v", n.Name, got, err, want)
			}
		}
	}
	missed(patient)
	if err := c.MissSoon(ctx); err != nil {
		t.Fatal(err)
	}
	missed(hasty)
	if err := c.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	missed(patient)
}

// deadline bounds a test, by longer than a machine takes that is busy with other things.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func newClient(t *testing.T, c *Cluster, change ...func(*redis.ClusterOptions)) *redis.ClusterClient {
	client := c.Client(change...)
	t.Cleanup(func() { client.Close() })
	return client
}

// keysIn returns n keys of one slot, which is none of the other tests'.
func keysIn(tag string, n int) (slot int, keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("{%s}:%d", tag, i))
	}
	return Slot(keys[0]), keys
}
