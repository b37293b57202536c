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

// A walk is one scan under way: node after node, until all slots have been seen or, where there are none,
// all nodes. A slotWalk says when a slot has; it needs the layout before and after the walk of each node.
type walk struct {
	server *server
	scan   Scan
	head   int64
	match  string
	yield  func(Sight, error) bool
	pace   pace

	slots    [slotCount]slotWalk
	hasSlots bool                     // some node has said so of some slot
	nodes    map[string]*redis.Client // by address, as last listed
	joining  map[string]*redis.Client // those of nodes without slots, whose clients are ours
	silent   map[string]error         // those that did not say what slots they have
	walked   map[string]bool          // those that came to their end
	latest   []string                 // those that did so since the last list, in turn
	fails    map[string]int
	givenUp  map[string]error

	reported map[digest]struct{} // keys
	seeds    [2]maphash.Seed

	progress Progress
	sizes    map[string]int64 // of the nodes, when the scan began
}

// A digest stands for a key. Two keys of 10⁹ have the same one with a probability of 10⁻²¹.
type digest [2]uint64

func newWalk(s *server, scan Scan, head int64, yield func(Sight, error) bool) *walk {
	if scan.Rate == 0 {
		scan.Rate = defaultRate
	}
	return &walk{
		server: s, scan: scan, head: head, match: pattern(scan.Prefix), yield: yield, pace: pace{rate: scan.Rate},
		joining: map[string]*redis.Client{}, walked: map[string]bool{},
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
	for round := 0; !w.hasSeenAll(); round++ {
		next := w.toWalk()
		if len(next) == 0 && unlisted == nil && !w.isOpen() {
			return w.tellFailures()
		}
		if round == maxScanRounds {
			return cmp.Or(w.tellFailures(), unlisted, ErrMoving)
		}
		// A list may lag behind a failover or a move, and a node that has failed may be no primary any more.
		if len(next) == 0 || slices.ContainsFunc(next, func(addr string) bool { return w.fails[addr] > 0 }) {
			if !pause(ctx, reloadEvery) {
				return context.Cause(ctx)
			}
			unlisted = w.list(ctx)
		}
		for _, addr := range next {
			if !slices.Contains(w.toWalk(), addr) {
				continue // not any more
			}
			if err := w.try(ctx, addr); err != nil {
				return err
			}
			// If the nodes can't be listed, those that are known go on.
			unlisted = w.list(ctx)
		}
	}
	return nil
}

// tellFailures reports the nodes whose keys have not all been seen, as far as is known.
func (w *walk) tellFailures() error {
	holds, lacks := w.holding()
	failures := maps.Clone(w.givenUp)
	maps.Copy(failures, w.silent)
	for _, addr := range slices.Sorted(maps.Keys(failures)) {
		if holds[addr] && !lacks[addr] {
			continue
		}
		if !w.yield(Sight{}, failed("scan", &NodeError{Addr: addr, Err: failures[addr]})) {
			return errBroken
		}
	}
	return nil
}

// list finds out which nodes there are, and who has the slots.
func (w *walk) list(ctx context.Context) error {
	clients, err := w.server.primaries(ctx)
	if err != nil {
		return err
	}
	w.nodes = map[string]*redis.Client{}
	for _, c := range clients {
		w.nodes[nodename.Of(c)] = c
	}
	l := &layout{}
	if w.server.cluster != nil && w.scan.Sample == 0 {
		l = w.server.layout(ctx, w.nodes, w.silent)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // and no node is to blame
	}
	for addr, by := range l.new {
		if w.nodes[addr] != nil {
			continue // it is only silent
		}
		if w.joining[addr] == nil {
			options := *w.nodes[by].Options()
			options.Addr = addr
			options.PushNotificationProcessor = nil // it serves one client
			w.joining[addr] = redis.NewClient(&options)
		}
		w.nodes[addr] = w.joining[addr]
	}
	w.silent = l.silent
	w.forget()
	for i := range w.slots {
		s, now := &w.slots[i], l.slots[i].holders
		if now.owner == "" && w.silent[s.owner] != nil {
			continue // it may have it still
		}
		s.update(now, w.latest)
		w.hasSlots = w.hasSlots || now.owner != ""
	}
	w.latest = nil
	return nil
}

// forget leaves out what is no primary any more. Others have what could not be seen of it.
func (w *walk) forget() {
	isGone := func(addr string) bool { return w.nodes[addr] == nil }
	maps.DeleteFunc(w.fails, func(addr string, _ int) bool { return isGone(addr) })
	maps.DeleteFunc(w.givenUp, func(addr string, _ error) bool { return isGone(addr) })
	var left int64
	for addr, size := range w.sizes {
		if isGone(addr) {
			left += size
			delete(w.sizes, addr)
		}
	}
	for addr := range w.nodes { // who comes in its place is taken to have as many keys
		if _, measured := w.sizes[addr]; !measured {
			w.sizes[addr], left = left, 0
		}
	}
	w.progress.Walked += left
}

// toWalk are the nodes that have to be walked, or walked again.
func (w *walk) toWalk() []string {
	addrs := map[string]bool{}
	for _, s := range w.slots {
		if s.seen == unseen || w.silent[s.owner] == nil { // who is silent may have given it to another
			addrs[s.next()] = true
		}
	}
	holds, _ := w.holding()
	for addr := range w.nodes { // those of which no slots are known
		if !holds[addr] && !w.walked[addr] {
			addrs[addr] = true
		}
	}
	maps.DeleteFunc(addrs, func(addr string, _ bool) bool {
		return w.nodes[addr] == nil || w.givenUp[addr] != nil || w.silent[addr] != nil && w.walked[addr] ||
			slices.Contains(w.latest, addr) // the next list says what has been seen of it
	})
	return slices.Sorted(maps.Keys(addrs))
}

// holding is which nodes can have keys of slots, and which can have some of slots that have not been seen.
func (w *walk) holding() (holds, lacks map[string]bool) {
	holds, lacks = map[string]bool{}, map[string]bool{}
	for _, s := range w.slots {
		for _, addr := range []string{s.owner, s.target} {
			holds[addr] = true
			lacks[addr] = lacks[addr] || s.seen != allSeen
		}
	}
	return holds, lacks
}

// isOpen reports whether there are slots that have not been seen for no fault of a node's: they may be
// on their way, or at one that isn't listed yet.
func (w *walk) isOpen() bool {
	if !w.hasSlots {
		return false
	}
	failed := func(addr string) bool { return w.silent[addr] != nil || w.givenUp[addr] != nil }
	someFailed := len(w.silent)+len(w.givenUp) > 0
	return slices.ContainsFunc(w.slots[:], func(s slotWalk) bool {
		switch {
		case s.seen == allSeen:
			return false
		case s.owner == "":
			return !someFailed
		}
		return !failed(s.owner) && !failed(s.target)
	})
}

func (w *walk) hasSeenAll() bool {
	return !slices.ContainsFunc(w.slots[:], func(s slotWalk) bool { return s.seen != allSeen })
}

// try walks a node. If that fails, it is walked anew in the next round, and then given up.
func (w *walk) try(ctx context.Context, addr string) error {
	walked := w.progress.Walked
	err := w.node(ctx, addr, w.nodes[addr])
	switch {
	case err == nil:
		w.walked[addr] = true
		w.latest = append(w.latest, addr)
		delete(w.fails, addr)
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
