package lock

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A server is one deployment of Redis, a cluster or a single server, as this package uses it:
// scripts in bounded time.
type server struct {
	cfg           Config
	client        redis.UniversalClient
	cluster       *redis.ClusterClient // nil for other clients
	honorsContext bool                 // the client ends a command when its context does
	inlinesAll    bool                 // scripts bring values of more than inlineLimit
	requests      requests
	acked         *acked // nil: no replica is asked
	semaphores    semaphores
	timers        timers
	peers         sync.Map     // address → *redis.Client: the cluster's nodes, for redirects
	reloaded      atomic.Int64 // when the cluster's topology was last reloaded, Unix nanoseconds
}

// otherClient is a client of a type that we know nothing of. It is behind a pointer, which can be a
// map's key.
type otherClient struct{ redis.UniversalClient }

// inlineLimit is where fetching a value apart overtakes carrying it through Lua. Measured on
// Redis 7.0: 64 KiB take 292 µs in a script and 138 µs by GET, of which about 60 µs are the second
// round trip.
const inlineLimit = 32 << 10

func newServer(client redis.UniversalClient, cfg Config) (*server, error) {
	if v := reflect.ValueOf(client); client == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, errors.New("lock: client: got nil, want a *redis.Client or *redis.ClusterClient (is REDIS_URL set?)")
	}
	s := &server{cfg: cfg, client: client}
	s.semaphores = newSemaphores(s)
	inline := min(inlineLimit, cfg.MaxValue)
	switch c := client.(type) {
	case *redis.Client:
		s.honorsContext = c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		s.cluster = c
		s.honorsContext = c.Options().ContextTimeoutEnabled
		if replicaReads(c.Options()) {
			// Such a client sends GET to a replica, which lags behind. A script goes to the
			// primary, so let scripts bring values of any length that is accepted.
			inline = cfg.MaxValue
		}
	case *redis.Ring:
		return nil, errors.New("lock: client: got a *redis.Ring, want a *redis.Client or " +
			"*redis.ClusterClient: a ring moves keys to other servers as servers come and go, " +
			"and a moved key is a forgotten one")
	default:
		s.client = &otherClient{client}
	}
	s.inlinesAll = inline > inlineLimit
	s.requests = newRequests(cfg, inline)
	var err error
	if s.acked, err = newAcked(client, cfg); err != nil {
		return nil, err
	}
	return s, verdict(cfg, clientFindings(client))
}

// run sends a script and waits for its reply until ctx ends. A grant that comes after that is
// handed back: nobody will use it.
func (s *server) run(ctx context.Context, req request) (reply, error) {
	r, err := s.runUntraced(ctx, req)
	s.cfg.Trace.failed(ctx, req.script.name, err)
	if s.needsAcks(req.script) && (r.status == statusOK || storedAs[r.status] != 0) {
		s.cfg.Trace.failed(ctx, req.script.name, s.unconfirmed(r))
	}
	return r, err
}

// runUntraced is run for a caller who tells Trace: in the crowd's pipeline, if there is one, or alone.
func (s *server) runUntraced(ctx context.Context, req request) (reply, error) {
	node, err := s.primary(ctx, req.lease.key())
	if err != nil {
		node = nil // sending finds the same fault, and is better at describing it
	}
	client, pipeliner := s.pipeliner(node, req)
	if pipeliner == nil {
		return s.runAlone(ctx, node, nil, req)
	}
	waits, isClosed := pipeliner.join(ctx, client, req)
	if isClosed {
		return s.runAlone(ctx, node, nil, req)
	}
	if waits == nil {
		return s.runAlone(ctx, node, pipeliner, req)
	}
	cmd, err := pipeliner.wait(waits)
	switch {
	case err == errSilent:
		return s.runAlone(ctx, node, nil, req)
	case cmd == nil:
		return reply{}, err
	case !s.undelivered(ctx, err):
		return s.result(cmd, err)
	}
	r, err := s.runAlone(ctx, node, nil, req)
	if errors.Is(err, errUnsent) { // not a second time, but the pipeline may have arrived
		cause := redis.ErrPoolTimeout
		if req.caller != nil && req.caller.Err() != nil {
			cause = context.Cause(req.caller)
		}
		err = fmt.Errorf("%w: %w", ErrUnavailable, cause)
	}
	return r, err
}

// runAlone is run on a connection of its own. It leaves the pipeliner, if there is one, when the
// connection is free.
func (s *server) runAlone(
	ctx context.Context, node redis.UniversalClient, p *pipeliner, req request,
) (reply, error) {
	// The slot is waited for outside of withDeadline, so that a script that never had one is known
	// to be unsent.
	slot, err := s.acquireSlot(ctx, node, req.caller)
	if err != nil {
		p.leave(err)
		return reply{}, err
	}
	if s.honorsContext { // withDeadline would do the same, for four allocations more a lease
		return s.sendWithin(ctx, slot, p, req)
	}
	owned := req.owned() // what is given up goes on by itself
	return withDeadline(ctx, s, func() (reply, error) {
		return s.sendWithin(ctx, slot, p, owned)
	}, func(late reply) {
		if req.script == beginScript && late.status == statusOK {
			s.handBack(ctx, req.lease)
		}
	})
}

// pipeliner is that of a script's node, with the node's client, or nil for a script that goes alone
// in any case: because it brings a long value or may find one, because it needs its connection for
// WAIT, or because there may be a cluster behind a client of another type.
func (s *server) pipeliner(node redis.UniversalClient, req request) (*redis.Client, *pipeliner) {
	client, ok := node.(*redis.Client)
	isLong := req.bytes > maxShared || s.inlinesAll && req.script == beginScript
	if !ok || isLong || s.cfg.Pipeline == PipelineOff || s.needsAcks(req.script) {
		return nil, nil
	}
	return client, s.semaphores.pipeliner(client)
}

// undelivered tells a script that a pipeline has not brought to its node from one that has its
// answer. The client can: alone, a script follows redirects, is tried again, and has its source with
// it where the node refused the command that should have brought it.
func (s *server) undelivered(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	if isUnknownScript(err) {
		return true
	}
	if s.cluster == nil { // a client of one server has tried again, but not for a single reply
		_, isReply := errors.AsType[redis.Error](err)
		return isReply && isTransient(err)
	}
	_, moved := redis.IsMovedError(err)
	_, ask := redis.IsAskError(err)
	return moved || ask || isTransient(err)
}

// acquireSlot waits for a slot at a node. Begin has a caller and stops waiting when the caller
// leaves. All other scripts have none, and go first.
func (s *server) acquireSlot(
	ctx context.Context, node redis.UniversalClient, caller context.Context,
) (*semaphore, error) {
	if caller == nil {
		return s.semaphores.acquire(ctx, node, true, nil)
	}
	slot, err := s.semaphores.acquire(ctx, node, false, caller.Done())
	if err != nil && caller.Err() != nil {
		err = fmt.Errorf("%w: %w", errUnsent, context.Cause(caller))
	}
	return slot, err
}

// sendWithin sends a script within a slot, and ends the round trip.
func (s *server) sendWithin(
	ctx context.Context, slot *semaphore, p *pipeliner, req request,
) (r reply, err error) {
	defer func() { p.leave(err) }()
	defer s.semaphores.release(slot)
	return s.send(ctx, req)
}

// send sends a script within a slot.
func (s *server) send(ctx context.Context, req request) (reply, error) {
	if s.needsAcks(req.script) {
		return s.sendAcked(ctx, req)
	}
	cmd := req.evalsha(ctx)
	err := s.client.Process(ctx, cmd)
	if isUnknownScript(err) {
		req.sent.discount()
		cmd = req.eval(ctx)
		err = s.client.Process(ctx, cmd)
	}
	return s.result(cmd, err)
}

// get fetches a whole value, of which a script has said that it is no longer than Config.MaxValue.
// (One that is replaced by a longer one between the two is fetched, too. GETRANGE would not do
// that, but ask more of an ACL than GET; who can write to Redis at will can keep it busy in simpler
// ways.)
func (s *server) get(ctx context.Context, key string) (value string, found bool, err error) {
	node, err := s.primary(ctx, key)
	if err != nil {
		node = nil // as in run
	}
	slot, err := s.acquireSlot(ctx, node, nil)
	if err != nil {
		return "", false, err
	}
	value, err = withDeadline(ctx, s, func() (string, error) {
		defer s.semaphores.release(slot)
		return s.client.Get(ctx, key).Result()
	}, nil)
	if err == redis.Nil {
		return "", false, nil
	}
	fault := s.fault(err)
	s.cfg.Trace.failed(ctx, "get", fault)
	return value, err == nil, fault
}

// result reads a script's command after it was sent.
func (s *server) result(cmd *redis.Cmd, err error) (reply, error) {
	if err != nil {
		return reply{}, s.fault(err)
	}
	r, err := parseReply(cmd.Val())
	if err != nil {
		return reply{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return r, nil
}

// withDeadline runs f, but not past the end of ctx. It does so on the caller's goroutine if the client
// ends a command with its context: without ContextTimeoutEnabled go-redis waits for a hung server until
// its own ReadTimeout, retry after retry. A result that comes later goes to late, unless that is nil: the
// channel has no buffer, so each result is handed to exactly one of the two.
func withDeadline[T any](
	ctx context.Context, s *server, f func() (T, error), late func(T),
) (T, error) {
	if s.honorsContext {
		return f()
	}
	type result struct {
		value T
		err   error
	}
	c := make(chan result)
	go func() {
		value, err := f()
		select {
		case c <- result{value, err}:
		case <-ctx.Done():
			if err == nil && late != nil {
				late(value)
			}
		}
	}()
	select {
	case r := <-c:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
}

// pause waits, and reports whether ctx goes on.
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
