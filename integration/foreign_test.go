package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// foreigners put something under a key that is no claim and no record of the key.
var foreigners = map[string]func(t *testing.T, f *fleet, name string){
	"a list": planting(func(c *redis.ClusterClient, t *testing.T, n string) error { return c.RPush(t.Context(), n, "a").Err() }),
	"a hash": planting(func(c *redis.ClusterClient, t *testing.T, n string) error {
		return c.HSet(t.Context(), n, "a", 1).Err()
	}),
	"an empty string":       text(""),
	"text":                  text("hello"),
	"long text":             text(strings.Repeat("hello ", 10_000)), // is fetched apart
	"a claim without owner": text("L1 1 1700000000000000 86400000 -"),
	"a claim of a later version": text(
		"L2 1 1700000000000000 86400000 - 000102030405060708090a0b0c0d0e0f"),
	"a truncated record":          text("R\x01\x00\x20"),
	"a record of a later version": text("R\x7f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
	"a record of another key": func(t *testing.T, f *fleet, name string) {
		fresh(t, f.send(t, f.machines[0], pay("donor")))
		record, err := f.observer.Get(t.Context(), f.redisKey(account, "donor")).Result()
		must(t, err)
		text(record)(t, f, name)
	},
}

func planting(do func(*redis.ClusterClient, *testing.T, string) error) func(*testing.T, *fleet, string) {
	return func(t *testing.T, f *fleet, name string) {
		t.Helper()
		must(t, do(f.observer, t, name))
	}
}

func text(value string) func(*testing.T, *fleet, string) {
	return planting(func(c *redis.ClusterClient, t *testing.T, name string) error {
		return c.Set(t.Context(), name, value, 0).Err()
	})
}

func TestForeignValueUnderAKeyIsReportedAndLeftAlone(t *testing.T) {
	for what, plant := range foreigners {
		t.Run(what, func(t *testing.T) {
			f := newFleet(t, plan{})
			const key = "foreign"
			name := f.redisKey(account, key)
			plant(t, f, name)
			before := f.dump(t, name)
			for _, m := range f.machines {
				f.unreadable(t, f.send(t, m, pay(key)), name)
				f.unreadable(t, f.send(t, m, other(key)), name)
			}
			f.ledger.never(t, key)
			if f.dump(t, name) != before {
				t.Error("the value has changed")
			}
		})
	}
}

// Somebody overwrites the claim of work in flight. The work has run, and what stands under its key
// can't be told: no answer would be true.
func TestForeignValueUnderWorkInFlightIsReportedAndLeftAlone(t *testing.T) {
	for _, what := range []string{"a list", "text", "long text", "a record of another key"} {
		t.Run(what, func(t *testing.T) {
			f := newFleet(t, plan{})
			const key = "overwritten"
			name := f.redisKey(account, key)
			g, running := f.hold(t, f.machines[0], pay(key), nil)
			must(t, f.observer.Del(t.Context(), name).Err())
			foreigners[what](t, f, name)
			before := f.dump(t, name)
			g.open()
			f.unreadable(t, <-running, name)
			f.unreadable(t, f.send(t, f.machines[1], pay(key)), name)
			f.ledger.once(t, key)
			if f.dump(t, name) != before {
				t.Error("the value has changed")
			}
		})
	}
}

// unreadable is an answer that tells nothing of what stands in Redis, nor where.
func (f *fleet) unreadable(t *testing.T, r reply, name string) {
	t.Helper()
	refused(t, r, http.StatusInternalServerError, "unreadable")
	for _, inside := range []string{name, "WRONGTYPE", "corrupt", "hello"} {
		if strings.Contains(r.body, inside) {
			t.Errorf("%q reached the client: %s", inside, r)
		}
	}
}

func (f *fleet) dump(t *testing.T, name string) string {
	t.Helper()
	dump, err := f.observer.Dump(t.Context(), name).Result()
	must(t, err)
	return dump
}
