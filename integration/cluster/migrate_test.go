package cluster

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestSlotMigratesThereAndBack(t *testing.T) {
	c, ctx := Shared(t), deadline(t)
	client := newClient(t, c)
	slot, keys := keysIn("there and back", 250) // more than one batch
	home, away := pair(t, c, keys[0])
	set(t, client, keys)

	for _, step := range []struct{ from, to *Node }{{home, away}, {away, home}} {
		if err := c.BeginMigration(ctx, slot, step.from, step.to); err != nil {
			t.Fatal(err)
		}
		check(t, client, keys, "opened")
		// A key that is not there is looked for, and made, at the new primary.
		absent := "{there and back}:absent"
		if err := client.Set(ctx, absent, absent, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		if n := count(t, step.to, slot); n != 1 {
			t.Errorf("%d keys at the new primary before the move, want the one just made", n)
		}
		if err := c.MoveKeys(ctx, slot, step.from, step.to); err != nil {
			t.Fatal(err)
		}
		check(t, client, keys, "moved")
		if err := c.EndMigration(ctx, slot, step.to); err != nil {
			t.Fatal(err)
		}
		check(t, client, keys, "ended")
		if now, err := c.MasterOf(ctx, keys[0]); now != step.to || err != nil {
			t.Fatalf("slot %d is served by %v, %v", slot, now, err)
		}
		if err := c.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		client.Del(ctx, absent)
	}
}

func TestAbortedMigrationLosesNothing(t *testing.T) {
	c, ctx := Shared(t), deadline(t)
	client := newClient(t, c)
	slot, keys := keysIn("aborted", 10)
	from, to := pair(t, c, keys[0])
	set(t, client, keys)

	if err := c.BeginMigration(ctx, slot, from, to); err != nil {
		t.Fatal(err)
	}
	if c.whole(ctx) == nil {
		t.Error("a cluster with an open slot passes for whole")
	}
	if err := c.AbortMigration(ctx, slot, from, to); err != nil {
		t.Fatal(err)
	}
	if err := c.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	check(t, client, keys, "aborted")

	// With keys on both sides it is refused, and the migration is still open.
	if err := c.BeginMigration(ctx, slot, from, to); err != nil {
		t.Fatal(err)
	}
	late := "{aborted}:late"
	set(t, client, []string{late})
	if err := c.AbortMigration(ctx, slot, from, to); err == nil {
		t.Error("abort stranded a key")
	}
	if err := c.MoveKeys(ctx, slot, from, to); err != nil {
		t.Fatal(err)
	}
	if err := c.EndMigration(ctx, slot, to); err != nil {
		t.Fatal(err)
	}
	check(t, client, append(keys, late), "ended")
	if err := c.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

// pair is the primary of key, and another one.
func pair(t *testing.T, c *Cluster, key string) (serving, other *Node) {
	t.Helper()
	ctx := deadline(t)
	serving, err := c.MasterOf(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	others := slices.DeleteFunc(c.Masters(ctx), func(n *Node) bool { return n == serving })
	return serving, others[0]
}

func set(t *testing.T, client *redis.ClusterClient, keys []string) {
	t.Helper()
	for _, key := range keys {
		if err := client.Set(t.Context(), key, key, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { client.Del(context.Background(), keys...) }) // runs before the client's own
}

func check(t *testing.T, client *redis.ClusterClient, keys []string, when string) {
	t.Helper()
	for _, key := range keys {
		if got, err := client.Get(t.Context(), key).Result(); got != key || err != nil {
			t.Fatalf("%s: %s is %q, %v", when, key, got, err)
		}
	}
}

func count(t *testing.T, n *Node, slot int) int64 {
	t.Helper()
	keys, err := n.Client().ClusterCountKeysInSlot(t.Context(), slot).Result()
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", n.Name, err))
	}
	return keys
}
