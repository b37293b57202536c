package integration

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/cluster"
)

// A line is a machine's network, which can be cut.
type line struct {
	connect func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]struct{}
}

func newLine(connect func(context.Context, string, string) (net.Conn, error)) *line {
	return &line{connect: connect, conns: map[net.Conn]struct{}{}}
}

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := l.connect(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		_ = conn.Close()
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("the line is cut")}
	}
	l.conns[conn] = struct{}{}
	return conn, nil
}

// cut breaks all connections, and lets none be made until mend.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for conn := range l.conns {
		_ = conn.Close()
	}
	clear(l.conns)
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

// trips are a machine's round trips, as they go out to a node: what a redirect sends again counts
// again. Each is written down by its command, a pipeline as one: "begin+wait", "renew*500".
type trips struct {
	scripts map[string]string // names by digest

	mu    sync.Mutex
	names []string
}

func newTrips(t *testing.T) *trips {
	t.Helper()
	source := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "lock", "script", name+".lua"))
		must(t, err)
		return string(text)
	}
	s := map[string]string{}
	for _, name := range []string{"begin", "renew", "commit", "release", "abandon", "regain"} {
		sum := sha1.Sum([]byte(source("claim") + source(name)))
		s[hex.EncodeToString(sum[:])] = name
	}
	return &trips{scripts: s}
}

func (h *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.note(cmd)
		return next(ctx, cmd)
	}
}

func (h *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.note(cmds...)
		return next(ctx, cmds)
	}
}

func (h *trips) note(cmds ...redis.Cmder) {
	var names []string
	for _, cmd := range cmds {
		switch name := cmd.Name(); name {
		case "hello", "auth", "client", "select", "readonly", "cluster", "command", "asking":
			// These open connections and find the way.
		case "evalsha":
			names = append(names, h.scripts[cmd.Args()[1].(string)])
		case "eval":
			sum := sha1.Sum([]byte(cmd.Args()[1].(string)))
			names = append(names, "load "+h.scripts[hex.EncodeToString(sum[:])])
		default:
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	trip, wait := strings.CutSuffix(strings.Join(names, "+"), "+wait")
	if equal := slices.Repeat(names[:1], strings.Count(trip, "+")+1); len(equal) > 1 && trip == strings.Join(equal, "+") {
		trip = fmt.Sprintf("%s*%d", names[0], len(equal))
	}
	if wait {
		trip += "+wait"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.names = append(h.names, trip)
}

// take returns the trips since it was last called.
func (h *trips) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := h.names
	h.names = nil
	return names
}

// count returns how many commands of that name went since take, in pipelines or alone.
func (h *trips) count(name string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, trip := range h.names {
		for command := range strings.SplitSeq(trip, "+") {
			command, times, repeated := strings.Cut(command, "*")
			switch {
			case command != name:
			case repeated:
				m, _ := strconv.Atoi(times)
				n += m
			default:
				n++
			}
		}
	}
	return n
}

// scriptCalls finds the calls of EVALSHA and EVAL in commandstats, where what scripts call in their
// turn is counted too, under its own names.
var scriptCalls = regexp.MustCompile(`(?m)^cmdstat_eval(?:sha)?:calls=(\d+)`)

// scriptsServed is how many scripts all nodes have been asked to run, as they count it themselves.
func (f *fleet) scriptsServed(t *testing.T) int {
	t.Helper()
	total := 0
	for _, n := range f.cluster.Nodes() {
		info, err := n.Client().Info(t.Context(), "commandstats").Result()
		must(t, err)
		for _, m := range scriptCalls.FindAllStringSubmatch(info, -1) {
			calls, err := strconv.Atoi(m[1])
			must(t, err)
			total += calls
		}
	}
	return total
}

// passed returns when Redis's own clock, as the node tells it, has gone on by d.
func passed(ctx context.Context, n *cluster.Node, d time.Duration) error {
	start, err := n.Client().Time(ctx).Result()
	if err != nil {
		return err
	}
	return cluster.Eventually(ctx, d.String()+" have passed", func(ctx context.Context) error {
		now, err := n.Client().Time(ctx).Result()
		if err == nil && now.Sub(start) < d {
			err = errors.New("not yet")
		}
		return err
	})
}

// leaseLeft is how long the lease on an idempotency key lasts, by Redis's clock: what is left of
// the key's life beyond the time that its claim is remembered.
func (f *fleet) leaseLeft(ctx context.Context, key string) (time.Duration, error) {
	name := f.redisKey(account, key)
	pipe := f.observer.Pipeline()
	value, pttl := pipe.Get(ctx, name), pipe.PTTL(ctx, name)
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, err
	}
	// L1 <attempt> <fence> <remember ms> <fingerprint> <owner>
	fields := strings.Fields(value.Val())
	if len(fields) != 6 || fields[0] != "L1" {
		return 0, fmt.Errorf("no claim, but %.20q", value.Val())
	}
	remember, err := strconv.Atoi(fields[3])
	return pttl.Val() - time.Duration(remember)*time.Millisecond, err
}

// renewed returns when the lease on a key has been extended in Redis so many times.
func (f *fleet) renewed(ctx context.Context, key string, times int) error {
	seen, last := 0, time.Duration(1<<62)
	return cluster.Eventually(ctx, "the lease is renewed", func(ctx context.Context) error {
		left, err := f.leaseLeft(ctx, key)
		if err != nil {
			return err
		}
		if left > last {
			seen++
		}
		last = left
		if seen < times {
			return fmt.Errorf("renewed %d times, %v left", seen, left)
		}
		return nil
	})
}
