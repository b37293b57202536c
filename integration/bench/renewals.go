package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reprise-go/reprise/lock"
)

// renewals measures what it takes to keep many leases that are renewed every second.
func (b *bench) renewals(ctx context.Context) (string, error) {
	s, err := b.site(ctx, "single")
	if err != nil {
		return "", err
	}
	if err := s.flush(ctx); err != nil {
		return "", err
	}
	client := s.client()
	defer client.Close()
	var lost, suspended atomic.Int64
	l, err := lock.New(client, lock.Config{TTL: b.ttl, Renew: time.Second, Trace: &lock.Trace{
		Suspended: func(*lock.Lease, error) { suspended.Add(1) },
		Lost:      func(*lock.Lease) { lost.Add(1) },
	}})
	if err != nil {
		return "", err
	}
	leases := make([]*lock.Lease, b.leases)
	var take sum
	err = take.run(len(leases), min(32, len(leases)), func(i int) (err error) {
		leases[i], err = l.TryAcquire(ctx, strconv.Itoa(i), lock.Terms{Detached: true})
		return err
	})
	if err != nil {
		return "", err
	}
	var stats [2]runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats[0])
	idle, most := runtime.NumGoroutine(), 0
	began := cpuTime()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(b.renewed); ; {
		select {
		case <-tick.C:
			most = max(most, runtime.NumGoroutine()-idle)
			continue
		case <-end:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		break
	}
	used := cpuTime() - began
	runtime.ReadMemStats(&stats[1])
	// That none was lost is for Redis to say.
	held, err := s.size(ctx)
	if err != nil {
		return "", err
	}
	var all sync.WaitGroup
	var ended atomic.Int64
	for caller := range 32 {
		all.Go(func() {
			for i := caller; i < len(leases); i += 32 {
				if leases[i].Release(ctx) == nil {
					ended.Add(1)
				}
			}
		})
	}
	all.Wait()
	if held < int64(len(leases)) || ended.Load()+lost.Load() != int64(len(leases)) {
		return "", fmt.Errorf("%w: of %d leases, %d stand in Redis, %d were lost and %d ended", errNotSo, len(leases), held, lost.Load(), ended.Load())
	}
	return fmt.Sprintf("%d leases of %.0f s, renewed every second for %.0f s: %d lost, %d late, %.1f s of CPU, at most %d goroutines more than without.\n",
		len(leases), b.ttl.Seconds(), b.renewed.Seconds(), lost.Load(), suspended.Load(), used.Seconds(), most), nil
}
