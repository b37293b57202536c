package integration

import (
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/integration/cluster"
)

type quote struct {
	Pair  string
	Rate  float64
	Notes []string
	At    time.Time
}

func newStores(t *testing.T) (put, get *cache.Store[quote], client func(string, any)) {
	t.Helper()
	c := cluster.Shared(t)
	stores := make([]*cache.Store[quote], 2)
	for i := range stores {
		redis := c.Client()
		t.Cleanup(func() { _ = redis.Close() })
		var err error
		stores[i], err = cache.New[quote](redis, cache.Config{})
		must(t, err)
		client = func(key string, value any) { must(t, redis.Set(t.Context(), key, value, time.Minute).Err()) }
	}
	return stores[0], stores[1], client
}

func TestStoreKeepsValuesOnEveryNode(t *testing.T) {
	ctx := bounded(t)
	put, get, _ := newStores(t)
	prefix := rand.Text()
	for i := range 30 { // some on each node
		key := fmt.Sprint(prefix, i)
		want := quote{Pair: key, Rate: float64(i) / 3, Notes: []string{"a", ""}, At: time.Unix(1_800_000_000, 5).UTC()}
		if _, found, err := get.Get(ctx, key); found || err != nil {
			t.Fatalf("before Put: %v, %v", found, err)
		}
		must(t, put.Put(ctx, key, want, time.Hour))
		got, found, err := get.Get(ctx, key)
		if got.At = got.At.UTC(); !found || err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, %v, want %+v", got, found, err, want)
		}
		if ttl, found, err := get.TTL(ctx, key); !found || err != nil || ttl <= 0 || ttl > time.Hour {
			t.Fatalf("TTL: %v, %v, %v", ttl, found, err)
		}
		for _, want := range []bool{true, false} {
			if deleted, err := get.Delete(ctx, key); deleted != want || err != nil {
				t.Fatalf("Delete: %v, %v, want %v", deleted, err, want)
			}
		}
		if _, found, err := put.TTL(ctx, key); found || err != nil {
			t.Fatalf("TTL after Delete: %v, %v", found, err)
		}
	}
}

func TestStoredValueEnds(t *testing.T) {
	ctx := bounded(t)
	put, get, _ := newStores(t)
	key := rand.Text()
	must(t, put.Put(ctx, key, quote{Pair: "GBPUSD"}, 300*time.Millisecond))
	node, err := cluster.Shared(t).MasterOf(ctx, key)
	must(t, err)
	must(t, passed(ctx, node, 300*time.Millisecond))
	if _, found, err := get.Get(ctx, key); found || err != nil {
		t.Errorf("after its time: %v, %v", found, err)
	}
}

func TestLargeValueIsStoredCompressed(t *testing.T) {
	ctx := bounded(t)
	put, get, _ := newStores(t)
	key := rand.Text()
	want := quote{Pair: "GBPUSD", Notes: []string{strings.Repeat("a note that is written over and over again. ", 100_000)}}
	must(t, put.Put(ctx, key, want, time.Minute))
	got, found, err := get.Get(ctx, key)
	if !found || err != nil || !reflect.DeepEqual(got.Notes, want.Notes) {
		t.Errorf("%d notes, %v, %v", len(got.Notes), found, err)
	}
	node, err := cluster.Shared(t).MasterOf(ctx, key)
	must(t, err)
	if n, err := node.Client().StrLen(ctx, key).Result(); err != nil || n == 0 || n > int64(len(want.Notes[0])/4) {
		t.Errorf("%d bytes in Redis for %d, %v", n, len(want.Notes[0]), err)
	}
}

func TestForeignValueIsCorrupt(t *testing.T) {
	ctx := bounded(t)
	_, get, set := newStores(t)
	for _, value := range []string{"hello", "", "R", "R\x01", `{"Pair":"GBPUSD"}`, "L1 1 1 1 - 00"} {
		key := rand.Text()
		set(key, value)
		if v, found, err := get.Get(ctx, key); !errors.Is(err, cache.ErrCorrupt) || found {
			t.Errorf("%q: %+v, %v, %v, want ErrCorrupt", value, v, found, err)
		}
	}
}
