package integration

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

const scanned = 1_000_000

// What a scan of a million records takes, and what it costs requests meanwhile: docs/redis.md has the
// figures of
//
//	go test -run '^$' -bench ScanOfAMillion -benchtime 1x ./integration
func BenchmarkScanOfAMillion(b *testing.B) {
	c := cluster.Shared(b)
	client := c.Client()
	defer client.Close()
	prefix := "it-" + rand.Text()[:10]
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	plantRecords(b, client, prefix)
	engine, err := replay.New(client, replay.Config{Prefix: prefix})
	must(err)
	// As an operator's program and a service are two, so are their clients.
	service := c.Client()
	defer service.Close()
	locker, err := lock.New(service, lock.Config{})
	must(err)

	measure := func(name string, do func()) {
		ctx, cancel := context.WithCancel(b.Context())
		var (
			mu    sync.Mutex
			took  []time.Duration
			wg    sync.WaitGroup
			nodes = nodesCPU(b, c)
			own   = ownCPU()
			begun = time.Now()
		)
		for range 4 {
			wg.Go(func() {
				for tick := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-tick.C {
					asked := time.Now()
					lease, err := locker.TryAcquire(ctx, prefix+"-load:"+rand.Text(), lock.Terms{})
					if err != nil {
						continue
					}
					d := time.Since(asked)
					mu.Lock()
					took = append(took, d)
					mu.Unlock()
					_ = lease.Release(ctx)
				}
			})
		}
		do()
		elapsed := time.Since(begun)
		cancel()
		wg.Wait()
		slices.Sort(took)
		b.Logf("%-22s %6.1fs   begin p50 %v  p99 %v  of %d   CPU: primaries %.2f, this process %.2f of a core",
			name, elapsed.Seconds(), took[len(took)/2].Round(time.Microsecond), took[len(took)*99/100].Round(time.Microsecond), len(took),
			(nodesCPU(b, c)-nodes)/elapsed.Seconds(), (ownCPU()-own)/elapsed.Seconds())
	}
	scan := func(s replay.Scan) func() {
		return func() {
			n := 0
			for _, err := range engine.Scan(b.Context(), s) {
				must(err)
				n++
			}
			if n != scanned && len(s.States) == 0 {
				b.Errorf("%d entries", n)
			}
		}
	}
	abandoned := []replay.KeyState{replay.KeyAbandoned}
	for range b.N {
		measure("no scan", func() { time.Sleep(20 * time.Second) })
		measure("default rate", scan(replay.Scan{}))
		measure("unbounded", scan(replay.Scan{Rate: lock.Unbounded}))
		measure("unbounded, abandoned", scan(replay.Scan{Rate: lock.Unbounded, States: abandoned}))
		measure("sample of 1000", scan(replay.Scan{Sample: 1000, States: abandoned}))
	}
}

// plantRecords writes a million records of an HTTP answer of 300 bytes.
func plantRecords(b *testing.B, client *redis.ClusterClient, prefix string) {
	codec, err := cache.NewCodec(cache.Config{})
	if err != nil {
		b.Fatal(err)
	}
	answer := map[string]any{"status": 201, "header": map[string][]string{"Content-Type": {"application/json"}}, "body": []byte(strings.Repeat("x", 240))}
	h := cache.Header{Owner: strings.Repeat("0", 32), Fence: time.Now().UnixMicro(), Fingerprint: "1:" + strings.Repeat("f", 43)}
	var wg sync.WaitGroup
	const writers = 4
	for w := range writers {
		wg.Go(func() {
			for from := w; from < scanned; from += 1000 * writers {
				pipe := client.Pipeline()
				for i := from; i < min(scanned, from+1000*writers); i += writers {
					key := fmt.Sprintf("%s:%064x", prefix, i)
					record, _ := codec.Encode(key, h, answer)
					pipe.Set(b.Context(), key, record, time.Hour)
				}
				if _, err := pipe.Exec(b.Context()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// nodesCPU is what the primaries have used so far, in seconds.
func nodesCPU(b *testing.B, c *cluster.Cluster) (sum float64) {
	for _, n := range c.Masters(b.Context()) {
		text, err := n.Client().Info(b.Context(), "cpu").Result()
		if err != nil {
			b.Fatal(err)
		}
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			if name == "used_cpu_sys" || name == "used_cpu_user" {
				f, _ := strconv.ParseFloat(value, 64)
				sum += f
			}
		}
	}
	return sum
}

func ownCPU() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
