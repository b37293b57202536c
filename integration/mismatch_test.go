package integration

import (
	"testing"
	"time"

	"github.com/reprise-go/reprise/replay"
)

func TestAnotherRequestUnderALiveKeyIsRefused(t *testing.T) {
	// The machines let duplicates wait; a mismatch never succeeds by waiting.
	f := newFleet(t, plan{replay: replay.Config{Wait: time.Hour}})
	const key = "mismatch-in-flight"
	g, running := f.hold(t, f.machines[0], pay(key), nil)

	for _, m := range f.machines {
		mismatch(t, f.send(t, m, other(key)))
	}
	g.open()
	first := <-running
	fresh(t, first)
	for _, m := range f.machines {
		replays(t, first, f.send(t, m, pay(key)))
	}
	f.ledger.once(t, key)
}

func TestAnotherRequestUnderAnAnsweredKeyIsRefused(t *testing.T) {
	f := newFleet(t, plan{})
	const key = "mismatch-after"
	first := f.send(t, f.machines[0], pay(key))
	fresh(t, first)
	for _, m := range f.machines {
		mismatch(t, f.send(t, m, other(key)))
		replays(t, first, f.send(t, m, pay(key)))
	}
	f.ledger.once(t, key)
}

// An attempt that failed leaves the key to its own request alone.
func TestAnotherRequestUnderAnAbandonedKeyIsRefused(t *testing.T) {
	f := newFleet(t, plan{})
	const key = "mismatch-abandoned"
	failing := pay(key)
	failing.answer = "503"
	if r := f.send(t, f.machines[0], failing); r.status != 503 || r.header.Get("Content-Type") != "application/json" {
		t.Fatalf("want the handler's own 503, got %s", r)
	}
	for _, m := range f.machines {
		mismatch(t, f.send(t, m, other(key)))
	}
	first := f.send(t, f.machines[1], pay(key))
	fresh(t, first)
	replays(t, first, f.send(t, f.machines[2], pay(key)))

	charges := f.ledger.of(key)
	if len(charges) != 2 || charges[1].attempt != 2 || charges[1].fence <= charges[0].fence {
		t.Errorf("want a second attempt with a greater fence: %+v", charges)
	}
}

func TestTenantsDoNotShareAKey(t *testing.T) {
	f := newFleet(t, plan{})
	const key = "two-tenants"
	// Names of one length, so that it is the names that tell them apart.
	other := request{key: key, account: "apex", body: `{"amount":7,"currency":"USD"}`}

	// In flight for one, free for the other.
	g, running := f.hold(t, f.machines[0], pay(key), nil)
	second := f.send(t, f.machines[1], other)
	fresh(t, second)
	g.open()
	first := <-running
	fresh(t, first)

	for _, m := range f.machines {
		replays(t, first, f.send(t, m, pay(key)))
		replays(t, second, f.send(t, m, other))
	}
	f.ledger.once(t, key, "apex/"+key)
}
