package cluster

import (
	"testing"
	"time"
)

func TestAddedNodesServeAndGo(t *testing.T) {
	c, ctx := Shared(t), deadline(t)
	client := newClient(t, c)
	slot, keys := keysIn("grow", 3)
	for _, key := range keys {
		if err := client.Set(ctx, key, key, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
	}
	home, err := c.MasterOf(ctx, keys[0])
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	served := func(by *Node) {
		t.Helper()
		client := newClient(t, c)
		if now, err := c.MasterOf(ctx, keys[0]); now != by || err != nil {
			t.Fatalf("slot %d is served by %v, %v; want %s", slot, now, err, by.Name)
		}
		for _, key := range keys {
			if got, err := client.Get(ctx, key).Result(); got != key || err != nil {
				t.Errorf("%s: %q, %v", key, got, err)
			}
		}
	}

	added, err := c.AddNode(ctx)
	must(err)
	replica, err := c.AddNode(ctx)
	must(err)
	must(c.Follow(ctx, replica, added))
	must(c.BeginMigration(ctx, slot, home, added))
	must(c.MoveKeys(ctx, slot, home, added))
	must(c.EndMigration(ctx, slot, added))
	must(c.Settle(ctx))
	served(added)
	if err := c.RemoveNode(ctx, added); err == nil {
		t.Fatal("a node that serves slots was removed")
	}

	must(c.BeginMigration(ctx, slot, added, home))
	must(c.MoveKeys(ctx, slot, added, home))
	must(c.EndMigration(ctx, slot, home))
	must(c.RemoveNode(ctx, replica))
	must(c.RemoveNode(ctx, added))
	must(c.Settle(ctx))
	served(home)
}
