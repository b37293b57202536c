package cluster

import (
	"context"
	"errors"
	"fmt"
)

// A slot is migrated as redis-cli does it, in steps, so that a test can stop
// between any two of them:
//
//	BeginMigration   both primaries know; absent keys are asked for at the new one
//	MoveKeys         the keys go over, and a key is at one side or the other
//	EndMigration     the new primary serves the slot
//
// or, before keys went over, AbortMigration.

// BeginMigration opens slot, served by from, for its move to the primary to.
func (c *Cluster) BeginMigration(ctx context.Context, slot int, from, to *Node) error {
	// The new one first: once the old one redirects, it has to be expecting that.
	if err := to.setSlot(ctx, slot, "importing", from.ID); err != nil {
		return err
	}
	return from.setSlot(ctx, slot, "migrating", to.ID)
}

// MoveKeys moves all keys that from has in slot. Once the slot is open none is
// added to them.
func (c *Cluster) MoveKeys(ctx context.Context, slot int, from, to *Node) error {
	host, port := to.endpoint()
	for {
		keys, err := from.client.ClusterGetKeysInSlot(ctx, slot, 100).Result()
		if err != nil {
			return from.wrap("cluster getkeysinslot", err)
		}
		if len(keys) == 0 {
			return nil
		}
		migrate := []any{"migrate", host, port, "", 0, 5000, "keys"}
		for _, key := range keys {
			migrate = append(migrate, key)
		}
		if err := from.client.Do(ctx, migrate...).Err(); err != nil {
			return from.wrap("migrate from", err)
		}
	}
}

// EndMigration gives slot, whose keys have been moved, to the primary to.
func (c *Cluster) EndMigration(ctx context.Context, slot int, to *Node) error {
	// The new owner first: its word has a new epoch, and if the others never
	// hear from us, they will hear from it.
	if err := to.setSlot(ctx, slot, "node", to.ID); err != nil {
		return err
	}
	return each(c.Masters(ctx), func(n *Node) error {
		if n == to {
			return nil
		}
		return n.setSlot(ctx, slot, "node", to.ID)
	})
}

// AbortMigration closes slot again and leaves it with from. Once keys have gone
// over, or were made over there, it refuses: Redis takes none back into a slot
// that is open. Then the way back is to end the migration and do another.
func (c *Cluster) AbortMigration(ctx context.Context, slot int, from, to *Node) error {
	// Clients may make keys over there until it is closed, and keys in a closed
	// slot are stranded: so they are counted when none can be added. (Not in one
	// transaction: Valkey's SETSLOT waits for replicas, and ends a server that
	// executes it in MULTI. Seen with 8.1.1 and 9.1.2.)
	if err := to.setSlot(ctx, slot, "stable"); err != nil {
		return err
	}
	there, err := to.client.ClusterCountKeysInSlot(ctx, slot).Result()
	if err != nil {
		return to.wrap("cluster countkeysinslot", err)
	}
	if there > 0 {
		err := fmt.Errorf("cluster: %d keys of slot %d are at %s already", there, slot, to.Name)
		return errors.Join(err, to.setSlot(ctx, slot, "importing", from.ID))
	}
	return from.setSlot(ctx, slot, "stable")
}

func (n *Node) setSlot(ctx context.Context, slot int, state ...any) error {
	args := append([]any{"cluster", "setslot", slot}, state...)
	return n.wrap(fmt.Sprintf("setslot %d %v on", slot, state[0]), n.client.Do(ctx, args...).Err())
}
