package integration

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/reprise-go/reprise/replay"
)

const duplicates = 200

func TestConcurrentDuplicatesRunOnceAndTheRestAreRefused(t *testing.T) {
	f := newFleet(t, plan{})
	const key = "one-of-200"
	g := f.ledger.gate(t, key, nil)

	replies := make(chan reply, duplicates)
	for i := range duplicates {
		go func() { replies <- f.send(t, f.machines[i%3], pay(key)) }()
	}
	// The handler answers when everyone else has been answered.
	<-g.entered
	for range duplicates - 1 {
		select {
		case r := <-replies:
			inProgress(t, r)
		case <-g.entered:
			t.Fatal("two handlers run at the same time")
		}
	}
	g.open()
	first := <-replies
	fresh(t, first)
	f.ledger.once(t, key)
	for _, m := range f.machines {
		replays(t, first, f.send(t, m, pay(key)))
	}
}

func TestConcurrentDuplicatesRunOnceAndTheRestWaitForTheAnswer(t *testing.T) {
	f := newFleet(t, plan{replay: replay.Config{Wait: 4 * patience}})
	const key = "waited-for-by-200"
	g := f.ledger.gate(t, key, nil)

	replies := make(chan reply, duplicates)
	for i := range duplicates {
		go func() { replies <- f.send(t, f.machines[i%3], pay(key)) }()
	}
	// The handler answers when everyone has asked for the key.
	eventually(t, "all have asked", func(context.Context) error {
		asked := 0
		for _, m := range f.machines {
			asked += m.trips.count("begin")
		}
		if asked < duplicates {
			return fmt.Errorf("%d have", asked)
		}
		return nil
	})
	g.open()
	var first reply
	var again []reply
	for range duplicates {
		if r := <-replies; r.replayed() {
			again = append(again, r)
		} else {
			first = r
		}
	}
	fresh(t, first)
	if len(again) != duplicates-1 {
		t.Errorf("%d replays, want %d", len(again), duplicates-1)
	}
	for _, r := range again {
		replays(t, first, r)
	}
	f.ledger.once(t, key)
}

// 500 keys at once, 20 duplicates each: 10,000 requests come at the same time, over 64 connections
// to each machine. One machine refuses duplicates of what is in flight, the others let them wait.
func TestManyKeysAtOnceRunOnceEach(t *testing.T) {
	const keys, copies = 500, 20
	f := newFleet(t, plan{
		conns: 64,
		each: func(i int, c *replay.Config) {
			if i > 0 {
				c.Wait = 4 * patience
			}
		},
	})
	key := func(k int) string { return fmt.Sprint("many-", k) }
	machine := func(k, i int) int { return (k + i) % 3 }
	var replies [keys][copies]reply
	var sent sync.WaitGroup
	for k := range keys {
		for i := range copies {
			sent.Go(func() { replies[k][i] = f.send(t, f.machines[machine(k, i)], pay(key(k))) })
		}
	}
	sent.Wait()

	tally := map[string]int{}
	for k := range keys {
		f.ledger.once(t, key(k))
		var first []reply
		for _, r := range replies[k] {
			if r.status == http.StatusCreated && !r.replayed() {
				first = append(first, r)
			}
		}
		if len(first) != 1 {
			t.Fatalf("key %d got %d fresh answers, want one", k, len(first))
		}
		fresh(t, first[0])
		for i, r := range replies[k] {
			switch {
			case r.replayed():
				replays(t, first[0], r)
				tally["replayed"]++
			case r.status != http.StatusCreated:
				inProgress(t, r)
				tally["refused"]++
				if machine(k, i) > 0 {
					t.Errorf("refused by a machine that lets duplicates wait")
				}
			}
		}
	}
	if tally["replayed"]+tally["refused"] != keys*(copies-1) {
		t.Errorf("%v don't add up to %d", tally, keys*(copies-1))
	}
	t.Log(tally)
}
