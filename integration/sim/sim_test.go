package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"testing"
	"time"
)

var (
	only    = flag.Uint64("seed", 0, "play this seed's schedule only, and print its history")
	first   = flag.Uint64("first", 1, "the first seed")
	effects = flag.Bool("effects", false, "play only schedules with a database")
	count   = flag.Int("schedules", 300, "how many schedules to play")
	soak    = flag.Bool("soak", false, "play on until stopped")
	stop    = flag.Bool("stop", false, "stop at the first schedule that breaks a promise")
	replays = flag.Int("replays", 50, "how many schedules to play twice")
)

// Each schedule is a Redis of its own, and garbage soon after.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// play plays a seed and checks its history.
func play(t *testing.T, seed uint64) bool {
	return t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
		h := Play(t, NewSchedule(seed))
		for _, breach := range Check(h) {
			t.Error(breach)
		}
		if t.Failed() || *only != 0 {
			t.Logf("play it again with: go test ./integration/sim -run TestSchedules -args -seed %d\n%v", seed, h)
		}
	})
}

// A seed is only worth printing if it gives the same history again.
func TestSeedReplays(t *testing.T) {
	for seed := range uint64(2 * *replays) {
		if sharesPipelines(seed) {
			continue
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			once, again := Play(t, NewSchedule(seed)).String(), Play(t, NewSchedule(seed)).String()
			if once != again {
				t.Errorf("one time\n%s\nand another\n%s", once, again)
			}
		})
	}
}

func TestSchedules(t *testing.T) {
	if *only != 0 {
		play(t, *only)
		return
	}
	begun := time.Now()
	n := 0
	for seed := *first; n < *count || *soak; seed++ {
		if *effects && NewSchedule(seed).Effects == nil {
			continue
		}
		n++
		if !play(t, seed) && *stop {
			t.FailNow()
		}
		if *soak && n%1000 == 0 {
			fmt.Printf("%d schedules, up to seed %d: %.0f a second\n", n, seed, float64(n)/time.Since(begun).Seconds())
		}
	}
	took := time.Since(begun)
	fmt.Printf("sim: %d schedules in %v: %.0f a second\n", n, took.Round(time.Millisecond), float64(n)/took.Seconds())
}
