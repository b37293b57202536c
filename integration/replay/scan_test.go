package replay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// scan is all that a scan reports, and its last error.
func (d *desk) scan(ctx context.Context, s replay.Scan) (all []replay.Entry, err error) {
	for e, fault := range d.engine.Scan(ctx, s) {
		if fault != nil {
			err = fault
			continue
		}
		all = append(all, e)
	}
	return all, err
}

// fill puts records of so many requests under the engine's keys.
func (d *desk) fill(n int) {
	d.t.Helper()
	for i := range n {
		req := replay.Request{Scope: rawScope, Key: fmt.Sprint("record ", i)}
		d.ask(bg, req, says("done")).wasRun(d.t, "done", 1)
	}
}

// A scan reports each entry once, by state, age, attempt and prefix, and paces itself.
func TestScan(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Paged()
		d := newDesk(t, f)
		crash(t, f, request())
		time.Sleep(leaseTime)
		crash(t, f, request()) // the second attempt
		d.fill(250)
		f.Redis.Set("reprise:foreign", "value")
		f.Redis.Set("reprise2:other", "value")
		f.Redis.Set("another program's", "value")

		var steps []lock.Progress
		all, err := d.scan(bg, replay.Scan{Rate: 1000, Progress: func(p lock.Progress) { steps = append(steps, p) }})
		if err != nil || len(all) != 252 {
			t.Fatalf("%d entries, %v", len(all), err)
		}
		keys := map[string]bool{}
		for _, e := range all {
			keys[e.Key] = true
			again, err := d.engine.InspectDigest(bg, e.Digest)
			if e.State != replay.KeyForeign && (err != nil || again.Mark() != e.Mark()) {
				t.Errorf("scanned %+v, inspected %+v, %v", e, again, err)
			}
		}
		if len(keys) != len(all) {
			t.Errorf("%d keys, %d entries", len(keys), len(all))
		}
		if last := steps[len(steps)-1]; len(steps) < 3 || last.Seen != 252 || last.Walked != 254 || last.Total != 254 || last.Node == "" {
			t.Errorf("progress: %+v", steps)
		}

		for name, tc := range map[string]struct {
			scan replay.Scan
			want int
		}{
			"claimed":   {replay.Scan{States: []replay.KeyState{replay.KeyClaimed}}, 1},
			"attempt":   {replay.Scan{LeastAttempt: 2}, 1},
			"attempt 3": {replay.Scan{LeastAttempt: 3}, 0},
			"foreign":   {replay.Scan{States: []replay.KeyState{replay.KeyForeign, replay.KeyAbandoned}}, 1},
			"old":       {replay.Scan{LeastAge: time.Hour}, 0},
			"prefix":    {replay.Scan{Prefix: "reprise2"}, 1},
			"sample":    {replay.Scan{Sample: 7}, 7},
		} {
			if all, err := d.scan(bg, tc.scan); err != nil || len(all) != tc.want {
				t.Errorf("%s: %d entries, %v, want %d", name, len(all), err, tc.want)
			}
		}
		for range d.engine.Scan(bg, replay.Scan{}) {
			break
		}
		for name, scan := range map[string]replay.Scan{
			"Rate": {Rate: -2}, "Sample": {Sample: -1}, "States": {States: []replay.KeyState{"dead"}},
		} {
			var fault *replay.ConfigError
			if _, err := d.scan(bg, scan); !errors.As(err, &fault) || fault.Name != name {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A digest is one by which the same engine finds the key again: what stands below its prefix and is of
// another has none.
func TestScanOfKeysThatAreNotTheEngines(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		key := "reprise:orders:" + d.engine.Digest("acme", "order-1")
		f.Redis.Set(key, "value")
		all, err := d.scan(bg, replay.Scan{})
		if err != nil || len(all) != 1 || all[0].Key != key || all[0].Digest != "" {
			t.Errorf("%v: got %+v", err, all)
		}
	})
}

// At its rate a scan takes its time, and the end of its context ends it within a pause.
func TestScanKeepsItsRate(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Paged()
		d := newDesk(t, f)
		d.fill(1000)
		begun := time.Now()
		if all, err := d.scan(bg, replay.Scan{Rate: 50}); err != nil || len(all) != 1000 {
			t.Errorf("%d entries, %v", len(all), err)
		}
		if took := time.Since(begun); took < 10*time.Second || took > 25*time.Second {
			t.Errorf("it took %v", took)
		}
		ctx, cancel := context.WithTimeout(bg, 5*time.Second)
		defer cancel()
		all, err := d.scan(ctx, replay.Scan{Rate: 50})
		if !errors.Is(err, context.DeadlineExceeded) || len(all) == 0 || len(all) == 1000 {
			t.Errorf("%d entries, %v", len(all), err)
		}
	})
}

// A server that is down, slow or restarted has its answer, and none hangs.
func TestScanOfAServerInTrouble(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Paged()
		d := newDesk(t, f)
		d.fill(300)
		down := func() {
			t.Helper()
			var node *lock.NodeError
			_, err := d.scan(bg, replay.Scan{})
			if !errors.As(err, &node) || !errors.Is(err, replay.ErrUnavailable) || node.Addr == "" {
				t.Errorf("%v", err)
			}
			nodes, err := d.engine.Nodes(bg)
			if err != nil || len(nodes) != 1 || !errors.As(nodes[0].Err, &node) || nodes[0].Addr != node.Addr {
				t.Errorf("%+v, %v", nodes, err)
			}
		}
		f.Down()
		down()
		f.Up()
		f.Freeze()
		down()
		f.Thaw()
		if all, err := d.scan(bg, replay.Scan{}); err != nil || len(all) != 300 {
			t.Errorf("%d entries, %v", len(all), err)
		}

		// The first two steps, and then another process answers.
		run, infos := "run_id:1\r\n", 0
		f.Before(func(p *server.Peer, cmd string, args ...string) bool {
			if strings.ToUpper(cmd) != "INFO" {
				return false
			}
			if infos++; infos == 2 {
				run = "run_id:2\r\n"
			}
			p.WriteBulk(run)
			return true
		})
		all, err := d.scan(bg, replay.Scan{})
		slices.SortFunc(all, func(a, b replay.Entry) int { return strings.Compare(a.Key, b.Key) })
		if err != nil || len(slices.CompactFunc(all, func(a, b replay.Entry) bool { return a.Key == b.Key })) != 300 || infos != 4 {
			t.Errorf("%d entries, %v, after %d", len(all), err, infos)
		}
	})
}

// A loop that ends at the end of its context is not told of it any more.
func TestScanEndsWithItsLoop(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		d.fill(3)
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		seen := 0
		for range d.engine.Scan(ctx, replay.Scan{}) {
			seen++
			cancel()
			break
		}
		if seen != 1 {
			t.Errorf("%d entries, want 1", seen)
		}
	})
}
