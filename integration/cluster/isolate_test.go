package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestIsolatedPrimaryServesItsClientsUntilItNotices(t *testing.T) {
	c, ctx := Shared(t), deadline(t)
	const key = "isolated"
	alone, err := c.MasterOf(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := alone.Client().Set(ctx, key, "before", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if err := alone.Isolate(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := alone.Client().Get(ctx, key).Result(); got != "before" && !redis.HasErrorPrefix(err, "CLUSTERDOWN") {
		t.Errorf("its clients get %q, %v", got, err)
	}
	err = Eventually(ctx, "a replica took over", func(ctx context.Context) error {
		now, err := c.MasterOf(ctx, key)
		if err == nil && now == alone {
			err = errors.New("the isolated node still serves")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Rejoin(ctx, alone); err != nil {
		t.Fatal(err)
	}
	if err := c.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, c)
	if got, err := client.Get(ctx, key).Result(); got != "before" || err != nil {
		t.Errorf("after all: %q, %v", got, err)
	}
}
