package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
	"github.com/reprise-go/reprise/replay"
)

// A watcher keeps up with the requests that are in flight. A round walks all keys for claims, and asks
// again for those that were there before.
type watcher struct {
	*program
	*sweep
	site     *site
	interval time.Duration
	known    map[string]listed // in flight, by Redis key
	failure  error             // of the last round
	reported error             // the last failure that a line was written of
	whole    bool              // a round has seen all
	took     time.Duration     // the last round
}

// An event is a line of watch.
type event struct {
	Time  time.Time `json:"time"`
	Event string    `json:"event"` // claimed, or what has become of the claim: done, abandoned, free, claimed by another, ended
	listed
}

func (p *program) watchCommand() *cobra.Command {
	w := &watcher{program: p, sweep: &sweep{}, known: map[string]listed{}}
	c := p.command(0, &cobra.Command{
		Use:     "watch",
		Short:   "What is in flight now, live",
		GroupID: fleet,
		Example: "  reprise watch\n" +
			"  reprise watch --json | jq -r 'select(.event == \"abandoned\").digest'",
		Long: "On a terminal it redraws a list, the oldest first. In a pipe each request that comes or ends is a " +
			"line. It finds requests by walking all keys, so that one which ends sooner than a round takes may " +
			"never show; the list says how long that is. It ends by Ctrl-C, or after --timeout.",
	}, func(ctx context.Context, _ []string) error {
		if w.interval < 100*time.Millisecond {
			return misuse("--interval: got %v, want at least 100ms", w.interval)
		}
		s, err := p.connect(ctx)
		if err != nil {
			return err
		}
		defer s.close()
		w.site = s
		return w.run(ctx)
	})
	c.Flags().DurationVar(&w.interval, "interval", time.Second, "how long to wait between two rounds")
	w.sweep.flags(c)
	return c
}

func (w *watcher) run(ctx context.Context) error {
	w.States = []replay.KeyState{replay.KeyClaimed}
	for {
		start := time.Now()
		w.failure = w.round(ctx)
		w.took = time.Since(start)
		w.whole = w.whole || w.failure == nil
		if ctx.Err() != nil || isUnread(w.Stdout) || w.out.Err() != nil {
			return w.verdict(ctx)
		}
		w.draw()
		timer := time.NewTimer(w.interval)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return w.verdict(ctx)
		}
	}
}

// verdict is nil for a watch that has ended as it is meant to, and the failure of one that has never seen
// all by the end of --timeout.
func (w *watcher) verdict(ctx context.Context) error {
	if w.whole || !errors.Is(context.Cause(ctx), errTimeout) {
		return nil
	}
	if w.reported != nil && w.reported.Error() == w.failure.Error() {
		return &fault{failed, errSaid, ""}
	}
	return w.failure
}

// round finds out what is in flight.
func (w *watcher) round(ctx context.Context) error {
	w.failures = nil
	seen := map[string]listed{}
	err := w.sweep.scan(ctx, w.site, func(e replay.Entry) { seen[e.Key] = listedOf(e) })
	if err = w.end(ctx, w.site, err); ctx.Err() != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(seen)) {
		before, known := w.known[key]
		switch {
		case !known:
			w.report("claimed", seen[key])
		case before.Mark != seen[key].Mark:
			w.report("claimed by another", seen[key])
		}
		w.known[key] = seen[key]
	}
	for _, key := range slices.Sorted(maps.Keys(w.known)) {
		if _, still := seen[key]; !still {
			w.missing(ctx, w.known[key], err == nil)
		}
	}
	return err
}

// missing finds out what has become of a claim that the round has not seen. A claim stays listed until
// somebody knows. What isn't the engine's can't be inspected: it is known of it that a whole round has
// not seen it.
func (w *watcher) missing(ctx context.Context, l listed, whole bool) {
	what := "ended"
	switch {
	case l.Digest != "":
		e, err := w.site.engine.InspectDigest(ctx, l.Digest)
		if err != nil {
			return
		}
		if e.State == replay.KeyClaimed { // of a node that could not be walked
			w.known[l.Redis] = listedOf(e)
			return
		}
		what, l.State, l.Size = string(e.State), e.State, e.Size
	case !whole:
		return
	default:
		l.State, l.Size = "", 0
	}
	delete(w.known, l.Redis)
	l.Left = 0
	w.report(what, l)
}

// report writes a line where there is no list.
func (w *watcher) report(what string, l listed) {
	if !w.json && w.out.IsTerminal() {
		return
	}
	now := time.Now().UTC()
	if w.json {
		w.line(event{now, what, l})
		return
	}
	w.out.Printf("%s  %s  attempt %s  age %s  %s\n", now.Format("15:04:05.000"), l.name(), number(l.Attempt), since(l.Age), what)
}

// draw draws the list anew.
func (w *watcher) draw() {
	if w.json || !w.out.IsTerminal() {
		if w.failure != nil && (w.reported == nil || w.reported.Error() != w.failure.Error()) {
			w.program.report(w.failure)
		}
		w.reported = w.failure
		return
	}
	list := &oldest{}
	for _, l := range w.known {
		list.add(l)
	}
	all := list.sorted()
	_, height := w.out.Size()
	rest := len(all) - max(1, height-5)
	_, _ = fmt.Fprint(w.out, "\x1b[H\x1b[J")
	w.out.Println(screen.Strong, fmt.Sprintf("%s in flight  %s  (%s keys walked in %s; Ctrl-C ends)", screen.Thousands(int64(len(all))),
		time.Now().UTC().Format("15:04:05"), screen.Thousands(w.totals.Total), screen.Age(w.took)))
	if w.failure != nil {
		w.out.Println(screen.Bad, w.failure.Error())
	}
	w.printRows(w.out, all[:len(all)-max(0, rest)])
	if rest > 0 {
		w.out.Printf("and %d younger\n", rest)
	}
}
