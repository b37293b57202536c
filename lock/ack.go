package lock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// acked makes a server ask the replicas, too: a claim, its renewals and a commit count when
// Config.Acks of them have confirmed.
//
// WAIT speaks of what was written on its own connection, so it follows its script there, in one
// pipeline. A ClusterClient's pipeline has no such place for a command without a key, and after a
// redirect it sends the script on without the WAIT; its method Wait asks on other connections and
// proves nothing. So the pipeline goes to the client of the key's own node, and redirects are
// followed here.
type acked struct {
	want   int
	within any // ms, boxed once
}

// newAcked returns nil if no replica has to confirm.
func newAcked(client redis.UniversalClient, cfg Config) (*acked, error) {
	if cfg.Acks == 0 {
		return nil, nil
	}
	var patience time.Duration
	switch c := client.(type) {
	case *redis.Client:
		patience = c.Options().ReadTimeout
	case *redis.ClusterClient:
		patience = c.Options().ReadTimeout
	default:
		return nil, fmt.Errorf("lock: client: got a %T, want a *redis.Client or *redis.ClusterClient for Acks: "+
			"no other is known to keep a script and its WAIT on one connection", client)
	}
	if patience > 0 && cfg.AckWithin >= patience {
		return nil, &ConfigError{Name: "AckWithin", Value: cfg.AckWithin.String(),
			Want: fmt.Sprintf("less than the client's ReadTimeout of %v, which would cut the wait short", patience)}
	}
	return &acked{want: cfg.Acks, within: cfg.AckWithin.Milliseconds()}, nil
}

// tries bounds how often a script is sent, redirects included: go-redis's own default and one more,
// for the source of a script that the node has forgotten.
const tries = 5

// confirm sends a script and waits for its reply and the replicas'.
func (s *server) confirm(ctx context.Context, sc *script, args []any) (reply, error) {
	var (
		node    redis.UniversalClient // nil: the one that the client has for the key
		asking  bool
		command = sc.command
		cmd     *redis.Cmd
		acks    int64
		err     error
	)
	for try := range tries {
		if node == nil {
			asking = false
			if node, err = s.primary(ctx, args[3].(string)); err != nil {
				return reply{}, s.fault(err)
			}
		}
		cmd = command(ctx, args)
		if acks, err = s.pipeline(ctx, node, asking, cmd); cmd.Err() != nil {
			err = cmd.Err()
		}
		moved, isMoved := redis.IsMovedError(err)
		ask, isAsk := redis.IsAskError(err)
		switch {
		case err == nil:
			r, err := s.result(cmd, nil)
			r.acks = acks
			return r, err
		case unknownScript(err):
			command = sc.loading
		case s.cluster == nil:
			return reply{}, s.fault(err) // which its client has tried again
		case isMoved:
			s.cluster.ReloadState(ctx)
			node = s.peer(ctx, moved)
		case isAsk:
			node = s.peer(ctx, ask)
			asking = true
		case passing(err):
			s.reload(err)
			node = nil
			if !pause(ctx, firstPause<<try) {
				return reply{}, s.fault(err)
			}
		default:
			return reply{}, s.fault(err)
		}
	}
	return reply{}, s.fault(err)
}

// firstPause is what go-redis waits before it sends a command again, and doubles from there.
const firstPause = 8 * time.Millisecond

// peer is the client of the node that a redirect names, or nil if the cluster lists no such primary.
func (s *server) peer(ctx context.Context, addr string) redis.UniversalClient {
	if node, known := s.peers.Load(addr); known {
		return node.(redis.UniversalClient)
	}
	_ = s.cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error { // reloads the topology
		s.peers.Store(c.Options().Addr, c)
		return nil
	})
	node, _ := s.peers.Load(addr)
	c, _ := node.(redis.UniversalClient)
	return c
}

// passing tells a fault that may have gone at the next try.
func passing(err error) bool {
	_, isNet := errors.AsType[net.Error](err)
	return isNet || errors.Is(err, io.EOF) || errors.Is(err, redis.ErrClosed) ||
		redis.IsReadOnlyError(err) || redis.IsLoadingError(err) || redis.IsMasterDownError(err) ||
		redis.IsClusterDownError(err) || redis.IsTryAgainError(err)
}

// pause waits, and reports whether ctx stands yet.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// unconfirmed is an *UnconfirmedError if too few replicas have confirmed what r reports, or nil.
func (s *server) unconfirmed(r reply) error {
	if s.acked == nil || r.acks >= int64(s.acked.want) {
		return nil
	}
	return &UnconfirmedError{Acks: int(r.acks), Want: s.acked.want}
}
