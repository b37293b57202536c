package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// measures are of one thing that was done several times.
type measures struct {
	times []time.Duration
	trips []int
}

func (m *measures) add(t time.Duration, trips int) {
	m.times, m.trips = append(m.times, t), append(m.trips, trips)
}

func median[T int | time.Duration](all []T) T { return slices.Sorted(slices.Values(all))[len(all)/2] }

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// line is an examination of what should take a number of round trips; 0 of what isn't counted.
func (m measures) line(node, what string, want int) examination {
	e := examination{Node: node, What: what, OK: true, Median: ms(median(m.times)), Max: ms(slices.Max(m.times))}
	e.Found = fmt.Sprintf("%.2f ms (max %.2f)", e.Median, e.Max)
	if want == 0 {
		return e
	}
	e.Trips = median(m.trips)
	e.Found = count(e.Trips, "round trip", "round trips") + ", " + e.Found
	if e.Trips != want {
		e.OK = false
		e.Cure = fmt.Sprintf("want %d: slots are moving, the client's view of the cluster is stale, or something between here and there sends again", want)
	}
	return e
}

// trips counts round trips as they go out to a node: what a redirect sends again counts again, and a
// pipeline once.
type trips struct{ n atomic.Int64 }

func countTrips(client redis.UniversalClient) *trips {
	t := &trips{}
	if c, ok := client.(*redis.ClusterClient); ok {
		c.OnNewNode(func(node *redis.Client) { node.AddHook(t) })
	} else {
		client.AddHook(t)
	}
	return t
}

func (t *trips) load() int { return int(t.n.Load()) }

// DialHook counts nothing: what opens a connection is no request's.
func (t *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook counts a command.
func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.count(cmd)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook counts a pipeline.
func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.count(cmds...)
		return next(ctx, cmds)
	}
}

// opening are commands that open connections and find the way.
var opening = []string{"hello", "auth", "client", "select", "readonly", "cluster", "command", "asking"}

func (t *trips) count(cmds ...redis.Cmder) {
	if slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return !slices.Contains(opening, c.Name()) }) {
		t.n.Add(1)
	}
}

// A clock is what the TIME of a node says, against this machine's.
type clock struct {
	addr     string
	ahead    time.Duration // of this machine
	give     time.Duration // or take
	times    measures
	answered bool
}

func (c clock) String() string {
	return fmt.Sprintf("%+.1f ms beside this machine's (± %.1f)", ms(c.ahead), ms(c.give))
}

// read asks a node for its time, some times. The reading that took least is the most exact.
func (d *doctor) read(ctx context.Context, n node) (clock, error) {
	c := clock{addr: n.addr}
	best := time.Duration(-1)
	for range rounds {
		ctx, cancel := context.WithTimeout(ctx, d.cfg.Lock.Timeout)
		start := time.Now()
		theirs, err := n.client.Time(ctx).Result()
		took := time.Since(start)
		cancel()
		if err != nil {
			return c, err
		}
		c.times.add(took, 1)
		if best < 0 || took < best {
			best, c.give = took, took/2
			c.ahead = theirs.Sub(start.Add(took / 2))
		}
	}
	c.answered = true
	return c, nil
}

// compareClocks compares those of all nodes, replicas too: a failover hands leases from one to another.
func (d *doctor) compareClocks(ctx context.Context) {
	if d.cluster == nil {
		return
	}
	var mu sync.Mutex
	var all []clock
	_ = d.cluster.ForEachShard(ctx, func(ctx context.Context, c *redis.Client) error {
		read, err := d.read(ctx, node{c.Options().Addr, c})
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			read.addr = c.Options().Addr + ": " + d.reason(err)
		}
		all = append(all, read)
		return nil
	})
	slices.SortFunc(all, func(a, b clock) int { return strings.Compare(a.addr, b.addr) })
	var first, last clock
	read := 0
	for _, c := range all {
		if !c.answered {
			d.noteSilent(c)
			continue
		}
		if read == 0 || c.ahead < first.ahead {
			first = c
		}
		if read == 0 || c.ahead > last.ahead {
			last = c
		}
		read++
	}
	if read < 2 {
		return // there is nothing to compare
	}
	limit := d.cfg.Lock.TTL / 100
	apart, give := last.ahead-first.ahead, last.give+first.give
	e := examination{What: "clocks", OK: apart-give <= limit,
		Found: fmt.Sprintf("%d nodes within %.1f ms (± %.1f); %v is the limit", read, ms(apart), ms(give), limit)}
	if !e.OK {
		e.Cure = fmt.Sprintf("%s is ahead of %s, and can let a lease go too early after a failover: run NTP on both", last.addr, first.addr)
	}
	d.note(e)
}

// noteSilent notes a node that doesn't answer, unless that is known of it.
func (d *doctor) noteSilent(c clock) {
	addr, said, _ := strings.Cut(c.addr, ": ")
	if !slices.ContainsFunc(d.lines, func(e examination) bool { return e.Node == addr }) {
		d.note(examination{Node: addr, What: "answers", Found: said, Cure: "a replica that is away can't take over: see that it is up"})
	}
}
