package lock

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

const slotCount = 1 << 14

// holders are the nodes that can have keys of a slot, by address: its owner, and where its keys are on
// their way to, if they are.
type holders struct{ owner, target string }

// A layout is which nodes can have which keys, as each primary says of itself: no other node knows
// what is on its way.
type layout struct {
	slots  [slotCount]holders
	silent map[string]error  // the nodes that did not say
	new    map[string]string // address by address of a node that knows it: without slots, and getting some
}

// layout asks all nodes at once, and again those that don't answer, unless they were silent before.
func (s *server) layout(ctx context.Context, nodes map[string]*redis.Client, silent map[string]error) *layout {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		texts = map[string]string{}
		l     = &layout{silent: map[string]error{}, new: map[string]string{}}
	)
	for addr, node := range nodes {
		wg.Go(func() {
			var text string
			ask := func() (err error) {
				text, err = askNode(ctx, s, node, func(ctx context.Context) (string, error) {
					return node.ClusterNodes(ctx).Result()
				})
				return err
			}
			var err error
			if silent[addr] == nil {
				err = again(ctx, ask)
			} else {
				err = ask()
			}
			mu.Lock()
			defer mu.Unlock()
			if texts[addr] = text; err != nil && !isNoCluster(err) {
				l.silent[addr] = err
			}
		})
	}
	wg.Wait()
	addrs := map[string]string{} // by node id
	for addr, text := range texts {
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) >= 8 && isMyself(f) {
				addrs[f[0]] = addr
			}
		}
	}
	for addr, text := range texts {
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) >= 8 && isMyself(f) {
				for _, slots := range f[8:] {
					l.add(addr, slots, func(id string) string { return l.addrOf(id, addrs, addr, text) })
				}
			}
		}
	}
	return l
}

// isNoCluster tells a node that knows of no slots: ClusterOptions.ClusterSlots can make a cluster of
// such, and then none move.
func isNoCluster(err error) bool { return strings.Contains(err.Error(), "cluster support disabled") }

func isMyself(fields []string) bool { return strings.Contains(fields[2], "myself") }

// add reads what a node says of slots: 7, 0-5460, [93->-id] for keys on their way to another node, or
// [77-<-id] for keys that come from one.
func (l *layout) add(addr, slots string, resolve func(id string) string) {
	if open, isOpen := strings.CutPrefix(slots, "["); isOpen {
		open = strings.TrimSuffix(open, "]")
		target := addr
		number, _, coming := strings.Cut(open, "-<-")
		if !coming {
			var id string
			number, id, _ = strings.Cut(open, "->-")
			target = resolve(id)
		}
		if n, err := strconv.Atoi(number); err == nil && n >= 0 && n < slotCount {
			l.slots[n].target = target
		}
		return
	}
	first, last, isRange := strings.Cut(slots, "-")
	from, err := strconv.Atoi(first)
	to := from
	if err == nil && isRange {
		to, err = strconv.Atoi(last)
	}
	if err != nil {
		return
	}
	for n := max(0, from); n <= min(to, slotCount-1); n++ {
		l.slots[n].owner = addr
	}
}

// addrOf is the address of a node by its id. One that has no slots yet is known from the list of the
// node that sends it keys.
func (l *layout) addrOf(id string, known map[string]string, by, text string) string {
	if addr := known[id]; addr != "" {
		return addr
	}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 8 && f[0] == id {
			addr, _, _ := strings.Cut(f[1], "@")
			l.new[addr] = by
			return addr
		}
	}
	return ""
}

// follow adds to the path of a slot what was seen of it.
func follow(path []string, h holders) []string {
	last := len(path) - 1
	if h.target != "" && last > 0 && path[last] == h.target && path[last-1] == h.owner {
		return path // it is still on its way
	}
	for _, addr := range []string{h.owner, h.target} {
		if addr != "" && (len(path) == 0 || path[len(path)-1] != addr) {
			path = append(path, addr)
		}
	}
	return path
}
