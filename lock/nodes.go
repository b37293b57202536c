package lock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/internal/nodename"
)

// ErrNoNodes: the client is of a type whose nodes can't be listed. A *redis.Client and a
// *redis.ClusterClient are known.
var ErrNoNodes = errors.New("the client lists no nodes: want a *redis.Client or *redis.ClusterClient")

// A NodeError says which node could not be asked.
type NodeError struct {
	Addr string // as the cluster announces it, or as the client was given it; words, if sentinels name it
	Err  error  // ErrUnavailable, or the cause of ctx
}

func (e *NodeError) Error() string { return fmt.Sprintf("%s: %v", e.Addr, e.Err) }

// Unwrap returns Err.
func (e *NodeError) Unwrap() error { return e.Err }

// A Node is one primary, as it says of itself.
type Node struct {
	Addr string
	Ping time.Duration // a round trip
	Keys int64         // in the client's database, of whatever program

	UsedMemory, MaxMemory int64  // bytes; MaxMemory is 0 if there is no bound
	Role                  string // master, unless the client leads to something else
	Replicas              int    // that are online

	Err error // a *NodeError, if it could not be asked; all but Addr is zero then
}

// Nodes asks all primaries at once how they are, each for Config.Timeout at most. They come in the
// order of their addresses, those that don't answer included. The error is ErrUnavailable if there is
// no list of them, the cause of ctx, ErrNoNodes or, for a quorum lock, ErrNoInspect.
func (l *Locker) Nodes(ctx context.Context) ([]Node, error) {
	s, isSingle := l.store.(*single)
	if !isSingle {
		return nil, failed("nodes", ErrNoInspect)
	}
	clients, err := s.server.primaries(ctx)
	if err != nil {
		return nil, failed("nodes", err)
	}
	nodes := make([]Node, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			n, err := s.server.describe(ctx, c)
			if err != nil {
				n = Node{Err: &NodeError{Addr: nodename.Of(c), Err: err}}
			}
			n.Addr = nodename.Of(c)
			nodes[i] = n
		})
	}
	wg.Wait()
	return nodes, nil
}

func (s *server) describe(ctx context.Context, c *redis.Client) (Node, error) {
	return askNode(ctx, s, c, func(ctx context.Context) (n Node, err error) {
		if n.Keys, err = c.DBSize(ctx).Result(); err != nil {
			return Node{}, err
		}
		begun := time.Now() // by now there is a connection, which a round trip doesn't include
		if err := c.Ping(ctx).Err(); err != nil {
			return Node{}, err
		}
		n.Ping = time.Since(begun)
		text, err := c.Info(ctx).Result()
		if err != nil {
			return Node{}, err
		}
		info := parseInfo(text)
		n.UsedMemory, _ = strconv.ParseInt(info["used_memory"], 10, 64)
		n.MaxMemory, _ = strconv.ParseInt(info["maxmemory"], 10, 64)
		n.Role = info["role"]
		for i := 0; info[fmt.Sprint("slave", i)] != ""; i++ {
			if strings.Contains(info[fmt.Sprint("slave", i)], "state=online") {
				n.Replicas++
			}
		}
		return n, nil
	})
}

var errNoPrimaries = errors.New("the node that was asked lists no primary: it may be in no cluster")

// primaries are the clients of all nodes that have keys, in the order of their addresses.
func (s *server) primaries(ctx context.Context) ([]*redis.Client, error) {
	if c, isOne := s.client.(*redis.Client); isOne {
		return []*redis.Client{c}, nil
	}
	if s.cluster == nil {
		return nil, ErrNoNodes
	}
	bounded, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	list := func() (all []*redis.Client, err error) {
		var mu sync.Mutex
		err = s.cluster.ForEachMaster(bounded, func(_ context.Context, c *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, c)
			return nil
		})
		return all, err
	}
	all, err := withDeadline(bounded, s, list, nil)
	if err == nil && len(all) == 0 {
		err = errNoPrimaries
	}
	if err != nil {
		return nil, cmp.Or(context.Cause(ctx), s.fault(err))
	}
	slices.SortFunc(all, func(a, b *redis.Client) int { return cmp.Compare(nodename.Of(a), nodename.Of(b)) })
	return all, nil
}

// askNode sends commands to a node within one slot, for Config.Timeout at most.
func askNode[T any](
	ctx context.Context, s *server, node *redis.Client, commands func(context.Context) (T, error),
) (T, error) {
	var none T
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	bounded, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	slot, err := s.semaphores.acquire(bounded, node, false, ctx.Done())
	if err != nil {
		return none, cmp.Or(context.Cause(ctx), err)
	}
	v, err := withDeadline(bounded, s, func() (T, error) {
		defer s.semaphores.release(slot)
		return commands(bounded)
	}, nil)
	switch {
	case err == nil:
		return v, nil
	case ctx.Err() != nil:
		return none, context.Cause(ctx)
	case errors.Is(err, ErrUnavailable):
		return none, err
	}
	return none, s.fault(err)
}
