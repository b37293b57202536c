package lock

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/internal/nodename"
)

// A walk is one scan under way.
//
// SCAN gives every key that its node has from the beginning to the end of the walk there ("Scan
// guarantees" of https://redis.io/docs/latest/commands/scan/). A key whose slot moves may be on no node
// for that long. So the layout is read before and after the walk of each node. A slot's keys have gone
// along the path of nodes that was seen so; and if, along that path, a walk of each node began after one
// of the node before it had ended, then a key was either still there when the one was walked, or already
// when the other was. Where that doesn't hold, the node is walked again.
type walk struct {
	server *server
	scan   Scan
	head   int64
	match  string
	yield  func(Sight, error) bool
	pace   pace

	clock   int                      // counts beginnings and ends
	walks   map[string][]span        // by address, those that came to their end
	paths   [slotCount][]string      // of each slot's keys
	nodes   map[string]*redis.Client // by address, as last listed
	gone    map[string]int           // when the others were first not listed any more
	joining map[string]*redis.Client // those of nodes without slots, whose clients are ours
	silent  map[string]error         // those that did not say what slots they have
	orphans bool                     // a slot that had an owner is nobody's
	fails   map[string]int
	givenUp map[string]error

	reported map[digest]struct{} // keys
	seeds    [2]maphash.Seed

	progress Progress
	sizes    map[string]int64 // of the nodes, when the scan began
}

type span struct{ begin, end int }

// A digest stands for a key. Two keys of 10⁹ have the same one with a probability of 10⁻²¹.
type digest [2]uint64

func newWalk(s *server, scan Scan, head int64, yield func(Sight, error) bool) *walk {
	if scan.Rate == 0 {
		scan.Rate = defaultRate
	}
	return &walk{
		server: s, scan: scan, head: head, match: pattern(scan.Prefix), yield: yield, pace: pace{rate: scan.Rate},
		walks: map[string][]span{}, gone: map[string]int{}, joining: map[string]*redis.Client{},
		fails: map[string]int{}, givenUp: map[string]error{}, sizes: map[string]int64{},
		reported: map[digest]struct{}{}, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
	}
}

func (w *walk) close() {
	for _, c := range w.joining {
		_ = c.Close()
	}
}

// run returns what ends the scan before its time.
func (w *walk) run(ctx context.Context) error {
	unlisted := w.list(ctx)
	if unlisted != nil {
		return unlisted
	}
	w.measure(ctx)
	for range maxScanRounds {
		next := w.toWalk()
		if len(next) == 0 && unlisted == nil && !w.orphans {
			return w.tellFailures()
		}
		// A list may lag behind a failover or a move, and a node that has failed may be no primary any more.
		if len(next) == 0 || slices.ContainsFunc(next, func(addr string) bool { return w.fails[addr] > 0 }) {
			if !pause(ctx, reloadEvery) {
				return context.Cause(ctx)
			}
			unlisted = w.list(ctx)
		}
		for _, addr := range next {
			if err := w.try(ctx, addr); err != nil {
				return err
			}
			// If the nodes can't be listed, those that are known go on.
			unlisted = w.list(ctx)
		}
	}
	if err := w.tellFailures(); err != nil {
		return err
	}
	return cmp.Or(unlisted, ErrMoving)
}

// tellFailures reports the nodes whose keys have not all been seen, as far as is known.
func (w *walk) tellFailures() error {
	failures := maps.Clone(w.givenUp)
	maps.Copy(failures, w.silent)
	for _, addr := range slices.Sorted(maps.Keys(failures)) {
		if !w.yield(Sight{}, failed("scan", &NodeError{Addr: addr, Err: failures[addr]})) {
			return errBroken
		}
	}
	return nil
}

// list finds out which nodes there are, and follows the slots.
func (w *walk) list(ctx context.Context) error {
	clients, err := w.server.primaries(ctx)
	if err != nil {
		return err
	}
	before := w.nodes
	w.nodes = map[string]*redis.Client{}
	for _, c := range clients {
		w.nodes[nodename.Of(c)] = c
	}
	l := &layout{}
	if w.server.cluster != nil && w.scan.Sample == 0 {
		l = w.server.layout(ctx, w.nodes, w.silent)
	}
	for addr, by := range l.new {
		if w.joining[addr] == nil {
			options := *w.nodes[by].Options()
			options.Addr = addr
			w.joining[addr] = redis.NewClient(&options)
		}
		w.nodes[addr] = w.joining[addr]
	}
	w.forget(before)
	w.silent, w.orphans = l.silent, false
	for slot, h := range l.slots {
		w.paths[slot] = follow(w.paths[slot], h)
		w.orphans = w.orphans || h == holders{} && w.isOrphan(w.paths[slot])
	}
	return nil
}

// forget notes which nodes are no primaries any more: others have what could not be seen of them.
func (w *walk) forget(before map[string]*redis.Client) {
	for addr := range before {
		if w.nodes[addr] == nil {
			w.gone[addr] = w.clock
			delete(w.fails, addr)
			delete(w.givenUp, addr)
		}
	}
	for addr := range w.nodes {
		delete(w.gone, addr)
	}
}

// isOrphan reports whether a slot without an owner had one, which is not merely silent.
func (w *walk) isOrphan(path []string) bool {
	if len(path) == 0 {
		return false
	}
	last := path[len(path)-1]
	return w.silent[last] == nil && w.givenUp[last] == nil
}

// toWalk are the nodes that have to be walked, or walked again.
func (w *walk) toWalk() []string {
	addrs := map[string]bool{}
	for addr := range w.nodes {
		if len(w.walks[addr]) == 0 && w.givenUp[addr] == nil {
			addrs[addr] = true
		}
	}
	for _, path := range w.paths {
		if addr := w.nextToWalk(path); addr != "" {
			addrs[addr] = true
		}
	}
	return slices.Sorted(maps.Keys(addrs))
}

// nextToWalk is the first node of a path that was not walked after the one before it. One that has gone
// without that had no keys left then, and what was given up is reported.
func (w *walk) nextToWalk(path []string) string {
	at := 0
	for _, addr := range path {
		i := slices.IndexFunc(w.walks[addr], func(s span) bool { return s.begin >= at })
		switch {
		case i >= 0:
			at = w.walks[addr][i].end
		case w.nodes[addr] == nil:
			at = max(at, w.gone[addr])
		case w.givenUp[addr] == nil:
			return addr
		}
	}
	return ""
}

// try walks a node. If that fails, it is walked anew in the next round, and then given up.
func (w *walk) try(ctx context.Context, addr string) error {
	node := w.nodes[addr]
	if node == nil {
		return nil // no primary any more
	}
	w.clock++
	begin, walked := w.clock, w.progress.Walked
	err := w.node(ctx, addr, node)
	switch {
	case err == nil:
		w.clock++
		delete(w.fails, addr)
		w.walks[addr] = append(w.walks[addr], span{begin, w.clock})
		w.progress.Walked = min(walked+w.sizes[addr], w.progress.Total)
		w.sizes[addr] = 0 // once
		w.tellProgress(addr)
		return nil
	case errors.Is(err, errBroken): // also if ctx has ended: the loop is not to be told
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	w.progress.Walked = walked
	if w.fails[addr]++; w.fails[addr] >= maxNodeTries {
		w.givenUp[addr] = err
	}
	return nil
}

// measure finds out how many keys there are. A node that doesn't say counts for none.
func (w *walk) measure(ctx context.Context) {
	if w.scan.Progress == nil {
		return
	}
	for addr, node := range w.nodes {
		size, _ := askNode(ctx, w.server, node, func(ctx context.Context) (int64, error) {
			return node.DBSize(ctx).Result()
		})
		w.sizes[addr] = size
		w.progress.Total += size
	}
}

func (w *walk) tellProgress(addr string) {
	if w.scan.Progress != nil {
		w.progress.Node = addr
		w.scan.Progress(w.progress)
	}
}
