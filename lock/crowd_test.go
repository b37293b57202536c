//go:build unix

package lock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// What pipelines are worth to a crowd, on a real Redis on this machine: the callers share b.N grants
// with commits of 1 KiB, or finds of such a value. Compare the two policies in one run, with -count.
func BenchmarkCrowd(b *testing.B) {
	addr, admin := startRedis(b)
	value := make([]byte, 1<<10)
	for _, callers := range []int{1, 2, 4, 8, 32, 256} {
		for _, what := range []string{"first", "replay"} {
			for _, policy := range []Pipeline{PipelineOff, PipelineAuto} {
				b.Run(fmt.Sprintf("%s/callers=%d/%s", what, callers, policy), func(b *testing.B) {
					client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
					defer client.Close()
					l, err := New(client, Config{Pipeline: policy})
					if err != nil {
						b.Fatal(err)
					}
					admin.FlushAll(b.Context())
					call := func(n int64) error {
						lease, err := l.TryAcquire(context.Background(), fmt.Sprint("key ", n), Terms{Detached: true})
						if err == nil {
							_, err = lease.Commit(context.Background(), value, time.Hour)
						}
						return err
					}
					if what == "replay" {
						if err := call(0); err != nil {
							b.Fatal(err)
						}
						call = func(int64) error {
							_, err := l.TryAcquire(context.Background(), "key 0", Terms{})
							if errors.Is(err, ErrDone) {
								err = nil
							}
							return err
						}
					}
					var n atomic.Int64
					var all sync.WaitGroup
					b.ResetTimer()
					used := processTime()
					for range callers {
						all.Go(func() {
							for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
								if err := call(i); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					all.Wait()
					b.ReportMetric(float64(processTime()-used)/float64(b.N), "cpu-ns/op")
				})
			}
		}
	}
}

// processTime is the CPU time that the process has used.
func processTime() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}
