package integration

import (
	"testing"
	"time"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

func TestEveryOutcomeSurvivesScriptFlush(t *testing.T) {
	f := newFleet(t, plan{})
	flush := func() {
		t.Helper()
		must(t, f.cluster.FlushScripts(t.Context()))
	}
	flush()
	first := f.send(t, f.machines[0], pay("flush"))
	fresh(t, first)
	for _, m := range f.machines {
		flush()
		replays(t, first, f.send(t, m, pay("flush")))
		flush()
		mismatch(t, f.send(t, m, other("flush")))
	}

	flush()
	g, running := f.hold(t, f.machines[0], pay("flush-in-flight"), nil)
	for _, m := range f.machines {
		flush()
		inProgress(t, f.send(t, m, pay("flush-in-flight")))
	}
	flush() // before the commit
	g.open()
	second := <-running
	fresh(t, second)
	flush()
	replays(t, second, f.send(t, f.machines[1], pay("flush-in-flight")))
	f.ledger.once(t, "flush", "flush-in-flight")

	// A key that is given up is given up all the same.
	declined := pay("flush-declined")
	declined.answer = "429"
	g, running = f.hold(t, f.machines[0], declined, nil)
	flush() // before the release
	g.open()
	if r := <-running; r.status != 429 {
		t.Errorf("want the handler's 429, got %s", r)
	}
	fresh(t, f.send(t, f.machines[1], pay("flush-declined")))
	if charges := f.ledger.of("flush-declined"); len(charges) != 2 || charges[1].attempt != 1 {
		t.Errorf("want a second run that is a first attempt: %+v", charges)
	}
}

func TestRenewalSurvivesScriptFlush(t *testing.T) {
	ctx := bounded(t)
	f := newFleet(t, plan{replay: replay.Config{Lock: lock.Config{TTL: 3 * time.Second, Renew: 300 * time.Millisecond}}})
	const key = "flush-renewal"
	g, running := f.hold(t, f.machines[0], pay(key), nil)
	for range 3 {
		must(t, f.cluster.FlushScripts(ctx))
		must(t, f.renewed(ctx, key, 1))
	}
	if n := f.machines[0].trips.count("load renew"); n < 3 {
		t.Errorf("renew was loaded %d times, want at least 3: what has been proven?", n)
	}
	g.open()
	first := <-running
	fresh(t, first)
	replays(t, first, f.send(t, f.machines[1], pay(key)))
	f.ledger.once(t, key)
}
