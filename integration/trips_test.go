package integration

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A request's round trips are counted where they leave the machine and, as scripts served, where
// they arrive: in steady state, with connections open and scripts loaded.
func TestCountedRoundTrips(t *testing.T) {
	for name, acks := range durabilities {
		t.Run(name, func(t *testing.T) { countRoundTrips(t, acks) })
	}
}

func countRoundTrips(t *testing.T, acks int) {
	f := newFleet(t, plan{replay: replay.Config{Lock: lock.Config{Acks: acks}}})
	_, keys := f.keysOnOneNode(t, 4)
	warm, answered, held, unused := keys[0], keys[1], keys[2], keys[3]
	for _, m := range f.machines {
		f.send(t, m, pay(warm))
	}
	fresh(t, f.send(t, f.machines[0], pay(answered)))
	g, running := f.hold(t, f.machines[0], pay(held), nil)

	get := func(t *testing.T) reply {
		r, err := http.NewRequest(http.MethodGet, f.machines[1].server.URL+"/payments", nil)
		must(t, err)
		r.Header.Set("X-Account", account)
		r.Header.Set("Idempotency-Key", unused)
		answer, err := f.client.Do(r)
		must(t, err)
		defer answer.Body.Close()
		return reply{status: answer.StatusCode}
	}
	post := func(q request) func(*testing.T) reply {
		return func(t *testing.T) reply { return f.send(t, f.machines[1], q) }
	}
	for _, step := range []struct {
		name   string
		do     func(*testing.T) reply
		status int
		trips  []string
	}{
		{"first", post(pay(unused)), 201, []string{"begin", "commit"}},
		{"replay", post(pay(answered)), 201, []string{"begin"}},
		{"conflict", post(pay(held)), 409, []string{"begin"}},
		{"mismatch after", post(other(answered)), 422, []string{"begin"}},
		{"mismatch in flight", post(other(held)), 422, []string{"begin"}},
		{"no key", post(request{}), 201, nil},
		{"a method that takes no part", get, 201, nil},
	} {
		f.machines[1].trips.take()
		served := f.scriptsServed(t)
		r := step.do(t)
		served = f.scriptsServed(t) - served
		trips := f.machines[1].trips.take()
		if r.status != step.status {
			t.Errorf("%s: got %s", step.name, r)
		}
		want := slices.Clone(step.trips)
		for i := range want {
			want[i] += strings.Repeat("+wait", acks)
		}
		if !slices.Equal(trips, want) {
			t.Errorf("%s: the machine sent %v, want %v", step.name, trips, want)
		}
		if served != len(step.trips) {
			t.Errorf("%s: Redis ran %d scripts, want %d", step.name, served, len(step.trips))
		}
	}
	g.open()
	fresh(t, <-running)
}
