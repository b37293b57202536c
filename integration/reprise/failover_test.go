package reprise

import (
	"context"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/replay"
)

// What docs/operations.md says under "Duplicates after a failover", done after one that has forgotten an
// answer: its retry has run again.
func TestDuplicatesAfterAFailover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	primary, replica := w.cluster.Servers[0], w.cluster.Servers[3]
	key, digest := w.at(primary, "order")
	pay := func(id string) (result replay.Result, err error) {
		work := func(context.Context) (replay.Answer, error) { return replay.Answer{Value: id}, nil }
		err = cluster.Eventually(t.Context(), "the key's node answers", func(ctx context.Context) error {
			result, err = w.engine.Do(ctx, replay.Request{Scope: "acme", Key: key}, work)
			return err
		})
		return result, err
	}
	w.cluster.Unlink(t, 0)
	if _, err := pay("pay_1"); err != nil {
		t.Fatal(err)
	}
	w.cluster.FailOver(t, 0)
	changed := time.Now()
	if result, err := pay("pay_2"); err != nil || result.Replayed {
		t.Fatalf("%v, %+v: want a failover that has forgotten the answer", err, result)
	}

	w.wants(0, `value "pay_2"`, "inspect", "--scope", "acme", "--key", key, "--reveal")
	type sight struct {
		State, Node string
		At          time.Time
		Age         int64 `json:"age_ms"`
	}
	got := one[sight](t, w.wants(0, "", "inspect", "--digest", digest, "--json").stdout)
	granted := got.At.Add(-time.Duration(got.Age) * time.Millisecond)
	if got.State != "done" || got.Node != replica.Addr || granted.Before(changed.Truncate(time.Millisecond)) {
		t.Errorf("got %+v, want an answer at %s to a request of after %v", got, replica.Addr, changed)
	}
	w.wants(0, "all nodes ok clocks 5 nodes within", "doctor")
}
