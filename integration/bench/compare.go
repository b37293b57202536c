package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/lock"
)

// perRound is how many operations a contender does in its turn.
const perRound = 128

// compare measures each operation at each size, alone and with 32 callers.
func compare(ctx context.Context, client redis.UniversalClient, rounds int) error {
	fmt.Println("| request | answer | callers | reprise | of naive | of the floor | allocations |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, size := range []int{1 << 10, 64 << 10} {
		a := &answer{Status: 201, Body: payments(size)}
		ours, err := reprise(client, a)
		if err != nil {
			return err
		}
		bare, err := floor(client, a)
		if err != nil {
			return err
		}
		all := []contender{ours, naive(client, a), bare}
		for _, op := range []string{"first", "replay", "conflict"} {
			for _, callers := range []int{1, 32} {
				if err := client.FlushDB(ctx).Err(); err != nil {
					return err
				}
				m, err := measure(ctx, client, all, op, callers, rounds)
				if err != nil {
					return fmt.Errorf("%s, %d B, %d callers: %w", op, size, callers, err)
				}
				fmt.Printf("| %s | %d KiB | %d | %s | %.2f | %.2f | %s |\n", op, size>>10, callers,
					m[0].time.Round(time.Microsecond), ratio(m[0], m[1]), ratio(m[0], m[2]), m[0].allocs(callers))
			}
		}
	}
	return nil
}

// payments is JSON of a size, as an API would answer it: half of it repeats, half of it is random.
func payments(size int) []byte {
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, `{"id":"pay_%s","amount":%d,"currency":"GBP","status":"succeeded"},`, rand.Text(), b.Len())
	}
	return b.Bytes()[:size]
}

// A figure is one contender's median over the rounds.
type figure struct {
	time   time.Duration // of one operation
	malloc float64       // allocations of one operation
}

func ratio(a, b figure) float64 { return float64(a.time) / float64(b.time) }

// allocs are counted for one caller alone: others would be counted along.
func (f figure) allocs(callers int) string {
	if callers > 1 {
		return ""
	}
	return fmt.Sprintf("%.0f", f.malloc)
}

func measure(ctx context.Context, client redis.UniversalClient, all []contender, op string, callers, rounds int) ([]figure, error) {
	samples := make([][]figure, len(all))
	// A key for each caller: naive takes its lock even to read, and would meet its own conflicts.
	keys := make([][]string, len(all))
	for i, c := range all {
		for caller := range callers {
			key := fmt.Sprint(c.name, ":", op, ":", caller)
			if err := prepare(ctx, client, c, op, key); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			keys[i] = append(keys[i], key)
		}
	}
	fresh := make([]string, (rounds+1)*len(all)*perRound) // made beforehand, so as not to be counted
	for i := range fresh {
		fresh[i] = strconv.Itoa(i)
	}
	var serial atomic.Int64
	for round := range rounds + 1 {
		for i := range all {
			i = (i + round) % len(all) // nobody always goes first
			c := all[i]
			f, err := turn(perRound, callers, func(caller int) error {
				switch op {
				case "first":
					return c.first(ctx, fresh[serial.Add(1)-1])
				case "replay":
					return c.replay(ctx, keys[i][caller])
				}
				return c.conflict(ctx, keys[i][caller])
			})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 { // the first round warms up
				samples[i] = append(samples[i], f)
			}
		}
	}
	medians := make([]figure, len(all))
	for i, s := range samples {
		medians[i] = median(s)
	}
	return medians, nil
}

func median(s []figure) figure {
	var m figure
	slices.SortFunc(s, func(a, b figure) int { return cmp.Compare(a.time, b.time) })
	m.time = s[len(s)/2].time
	slices.SortFunc(s, func(a, b figure) int { return cmp.Compare(a.malloc, b.malloc) })
	m.malloc = s[len(s)/2].malloc
	return m
}

// prepare puts a key into the state that op is to find.
func prepare(ctx context.Context, client redis.UniversalClient, c contender, op, key string) error {
	switch op {
	case "replay":
		return c.first(ctx, key)
	case "conflict":
		// Held for long enough, by somebody who is not measured.
		name := key
		if c.name == "naive" {
			return client.Set(ctx, "lock:"+key, "another", time.Hour).Err()
		}
		if c.name == "reprise" {
			name = redisKey(key)
		}
		holder, err := lock.New(client, lock.Config{TTL: time.Hour, Renew: 20 * time.Minute, MaxHold: time.Hour})
		if err != nil {
			return err
		}
		_, err = holder.TryAcquire(ctx, name, lock.Terms{Fingerprint: "1:fingerprint"})
		return err
	}
	return nil
}

// turn lets callers do n operations in all.
func turn(n, callers int, do func(caller int) error) (figure, error) {
	var (
		wg     sync.WaitGroup
		left   atomic.Int64
		failed atomic.Pointer[error]
		before runtime.MemStats
		after  runtime.MemStats
	)
	left.Store(int64(n))
	runtime.ReadMemStats(&before)
	start := time.Now()
	for caller := range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(caller); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	if err := failed.Load(); err != nil {
		return figure{}, *err
	}
	return figure{elapsed / time.Duration(n), float64(after.Mallocs-before.Mallocs) / float64(n)}, nil
}
