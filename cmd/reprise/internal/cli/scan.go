package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A sweep is a scan of all primaries, with what could not be seen of it.
type sweep struct {
	replay.Scan
	failures []string // nodes, and why
	cure     string   // of the last of them
	totals   lock.Progress
}

// flags adds those that all scans have.
func (w *sweep) flags(c *cobra.Command) {
	c.Flags().IntVar(&w.Rate, "rate", 0, "walk so many `keys` a second at most; -1 is as fast as Redis answers (default 20,000)")
	c.Flags().StringVar(&w.Prefix, "prefix", "", "of Redis keys, in place of REPLAY_PREFIX")
}

// run scans, and hands each entry to take. Of an error it has kept what the nodes are, and returns what
// ended the scan: what was seen until then has been taken.
func (w *sweep) run(ctx context.Context, p *program, s *site, take func(replay.Entry)) error {
	bar := newProgress(p.err)
	defer bar.clear()
	found := 0
	w.Progress = func(now lock.Progress) { bar.show(now, found) }
	return w.scan(ctx, s, func(e replay.Entry) {
		found++
		take(e)
	})
}

// scan is run without a bar.
func (w *sweep) scan(ctx context.Context, s *site, take func(replay.Entry)) error {
	if w.Rate < lock.Unbounded {
		return misuse("--rate: got %d, want keys a second, or -1", w.Rate)
	}
	shown, scan := w.Progress, w.Scan
	scan.Progress = func(now lock.Progress) {
		w.totals = now
		if shown != nil {
			shown(now)
		}
	}
	for e, err := range s.engine.Scan(ctx, scan) {
		if node, ok := errors.AsType[*lock.NodeError](err); ok {
			w.failures, w.cure = append(w.failures, node.Addr+": "+s.reason(node.Err)), s.cure(node.Err)
			continue
		}
		if err != nil {
			return err
		}
		take(e)
	}
	return nil
}

// end is the error of a command whose scan has ended: part of the keys may not have been seen.
func (w *sweep) end(ctx context.Context, s *site, err error) error {
	switch {
	case errors.Is(err, lock.ErrMoving):
		return &fault{failed, errors.New("in part: slots kept moving or had no owner, and some keys may be missing above"), "ask again when the cluster has settled"}
	case err != nil:
		if known, ok := errors.AsType[*fault](err); ok {
			return known
		}
		f := s.unavailable(ctx, "see all keys", "", err).(*fault)
		f.err = fmt.Errorf("in part: %w", f.err)
		return f
	case len(w.failures) > 0:
		return &fault{failed, errors.New("in part: keys are missing above, of " + strings.Join(w.failures, "; ")), w.cure}
	}
	return nil
}

// states reads --state.
func states(words []string) (all []replay.KeyState, err error) {
	known := replay.KeyState("").Words()
	for _, word := range words {
		if !slices.Contains(known[1:], replay.KeyState(word)) {
			return nil, misuse("--state: got %q, want %s", word, strings.Join(stateWords(), ", "))
		}
		all = append(all, replay.KeyState(word))
	}
	return all, nil
}

// stateWords are the states of keys that stand somewhere.
func stateWords() (words []string) {
	for _, s := range replay.KeyState("").Words()[1:] {
		words = append(words, string(s))
	}
	return words
}
