package lock

import (
	"context"
	"fmt"
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
		return nil, fmt.Errorf("lock: client: got a %T, want a *redis.Client or *redis.ClusterClient "+
			"for Acks: no other is known to keep a script and its WAIT on one connection", client)
	}
	if patience > 0 && cfg.AckWithin >= patience {
		want := fmt.Sprintf("less than the client's ReadTimeout of %v, which would cut the wait short", patience)
		return nil, &ConfigError{Name: "AckWithin", Value: cfg.AckWithin.String(), Want: want}
	}
	return &acked{want: cfg.Acks, within: cfg.AckWithin.Milliseconds()}, nil
}

const (
	// maxTries bounds how often a script is sent, redirects included: go-redis's own default and
	// one more, for the source of a script that the node has forgotten.
	maxTries = 5
	// firstPause is what go-redis waits before it sends a command again. Each pause doubles it.
	firstPause = 8 * time.Millisecond
)

// needsAcks tells whether replicas have to confirm a script.
func (s *server) needsAcks(sc *script) bool { return s.acked != nil && sc.needsAcks }

// sendAcked sends a script and waits for its reply and the replicas'.
func (s *server) sendAcked(ctx context.Context, req request) (reply, error) {
	var (
		to      destination // no node: the one that the client has for the key
		command = req.evalsha
		err     error
	)
	for try := range maxTries {
		if to.node == nil {
			to.asking = false
			if to.node, err = s.primary(ctx, req.lease.key()); err != nil {
				return reply{}, s.fault(err)
			}
		}
		cmd := command(ctx)
		var acks int64
		if acks, err = s.pipeline(ctx, to, req.script, cmd); cmd.Err() != nil {
			err = cmd.Err()
		}
		next, isRedirect := s.redirected(ctx, err)
		switch {
		case err == nil:
			r, err := s.result(cmd, nil)
			r.acks = acks
			return r, err
		case isUnknownScript(err):
			req.sent.discount()
			command = req.eval
		case isRedirect:
			to = next
		case s.cluster != nil && isTransient(err): // a client of one server has tried again itself
			s.reload(err)
			to = destination{}
			if !pause(ctx, firstPause<<try) {
				return reply{}, s.fault(err)
			}
		default:
			return reply{}, s.fault(err)
		}
	}
	return reply{}, s.fault(err)
}

// pipeline sends commands of one script to a node there and back, and WAIT behind them if replicas
// have to confirm it. Each command has its own error; the count is of the replicas that have what all
// of them have written.
func (s *server) pipeline(
	ctx context.Context, to destination, sc *script, cmds ...redis.Cmder,
) (acks int64, err error) {
	pipe := to.node.Pipeline()
	if to.asking {
		for _, cmd := range cmds {
			pipe.Do(ctx, "asking") // holds for one command
			_ = pipe.Process(ctx, cmd)
		}
	} else {
		_ = pipe.BatchProcess(ctx, cmds...)
	}
	if !s.needsAcks(sc) {
		_, _ = pipe.Exec(ctx)
		return 0, nil
	}
	wait := redis.NewIntCmd(ctx, "wait", s.acked.want, s.acked.within)
	_ = pipe.Process(ctx, wait)
	_, _ = pipe.Exec(ctx)
	return wait.Result()
}

// unconfirmed is an *UnconfirmedError if too few replicas have confirmed what r reports, or nil.
func (s *server) unconfirmed(r reply) error {
	if s.acked == nil || r.acks >= int64(s.acked.want) {
		return nil
	}
	return &UnconfirmedError{Acks: int(r.acks), Want: s.acked.want}
}
