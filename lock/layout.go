package lock

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

const slotCount = 1 << 14

// A layout is which nodes can have which keys, as each primary says of itself: no other node knows
// what is on its way.
type layout struct {
	slots  [slotCount]slotClaim
	silent map[string]error  // the nodes that did not say
	new    map[string]string // address by address of a node that knows it: without slots, and getting some
}

// A slotClaim is what a slot's owner says of it. Of two owners it is that of the higher epoch, as for Redis:
// one that was away may not know of its heir yet.
type slotClaim struct {
	holders
	epoch uint64
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
			err := again(ctx, triesOf(silent[addr]), ask)
			mu.Lock()
			defer mu.Unlock()
			if texts[addr] = text; err != nil && !isNoCluster(err) {
				l.silent[addr] = err
			}
		})
	}
	wg.Wait()
	l.read(texts)
	return l
}

// isNoCluster tells a node that knows of no slots: ClusterOptions.ClusterSlots can make a cluster of
// such, and then none move.
func isNoCluster(err error) bool { return strings.Contains(err.Error(), "cluster support disabled") }

// read takes in what nodes say, by address: CLUSTER NODES of
// https://redis.io/docs/latest/commands/cluster-nodes/.
func (l *layout) read(texts map[string]string) {
	listed := map[string]string{} // addresses by node id
	for addr, text := range texts {
		if own := ownLine(text); own != nil {
			listed[own[0]] = addr
		}
	}
	for _, addr := range slices.Sorted(maps.Keys(texts)) {
		own := ownLine(texts[addr])
		if own == nil {
			continue
		}
		resolve := func(id string) string {
			if to := listed[id]; to != "" {
				return to
			}
			to := unlisted(id, texts[addr], hostname(own) != "" && hostname(own) == hostOf(addr))
			if to == "" {
				return id // no node that could be walked, so that the slot stays unseen
			}
			l.new[to] = addr
			return to
		}
		epoch, _ := strconv.ParseUint(own[6], 10, 64)
		for _, slots := range own[8:] {
			l.add(addr, epoch, slots, resolve)
		}
	}
}

// add reads what a node says of slots: 7, 0-5460, or [93->-id] for keys on their way to another node. (That
// one says [93-<-id], and so may one to which none are on their way any more.)
func (l *layout) add(addr string, epoch uint64, slots string, resolve func(id string) string) {
	if open, isOpen := strings.CutPrefix(slots, "["); isOpen {
		number, id, isGoing := strings.Cut(strings.TrimSuffix(open, "]"), "->-")
		n, err := strconv.Atoi(number)
		if isGoing && err == nil && n >= 0 && n < slotCount && l.slots[n].owner == addr {
			l.slots[n].target = resolve(id)
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
		if c := &l.slots[n]; c.owner == "" || epoch > c.epoch {
			*c = slotClaim{holders{owner: addr}, epoch}
		}
	}
}

// lineOf returns the fields of the first line that is wanted, or nil.
func lineOf(text string, wanted func(fields []string) bool) []string {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 8 && wanted(f) {
			return f
		}
	}
	return nil
}

// ownLine is what a node says of itself.
func ownLine(text string) []string {
	return lineOf(text, func(f []string) bool { return strings.Contains(f[2], "myself") })
}

// unlisted is the address of a node that has no slots yet, from the list of one that sends it keys, or
// "" if it isn't there. It goes by its hostname if that one does.
func unlisted(id, text string, byHostname bool) string {
	f := lineOf(text, func(f []string) bool { return f[0] == id })
	if f == nil {
		return ""
	}
	addr, _, _ := strings.Cut(f[1], "@")
	colon := strings.LastIndexByte(addr, ':') // the only one, unless the host is of IPv6
	host, port := addr[:max(colon, 0)], addr[colon+1:]
	if name := hostname(f); byHostname && name != "" {
		host = name
	}
	return net.JoinHostPort(host, port)
}

// hostname is that of a node's line, which has ip:port@cport,hostname,and=more in its second field.
func hostname(fields []string) string {
	_, after, _ := strings.Cut(fields[1], ",")
	name, _, _ := strings.Cut(after, ",")
	return name
}

func hostOf(addr string) string {
	host, _, _ := net.SplitHostPort(addr)
	return host
}
