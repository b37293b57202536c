package lock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A server is Redis as this package uses it: scripts in bounded time, and the reload of a cluster's
// topology that go-redis leaves out.
type server struct {
	client   redis.UniversalClient
	cluster  *redis.ClusterClient // nil for other clients
	obedient bool                 // the client ends a command when its context does
	inline   int64                // longest value that begin brings along, bytes
	reloaded *atomic.Int64        // when the topology was last reloaded, Unix nanoseconds
	acked    *acked               // nil: no replica is asked
	turns    *turns
	peers    *sync.Map // address → *redis.Client: the cluster's nodes that redirects have named
}

// another is a client of a type that we know nothing of. It is behind a pointer, which can be a map's key.
type another struct{ redis.UniversalClient }

// inlineLimit is where fetching a value apart overtakes carrying it through Lua. Measured on
// Redis 7.0: 64 KiB take 292 µs in a script and 138 µs by GET, of which about 60 µs are the second
// round trip.
const inlineLimit = 32 << 10

// reloadEvery bounds how often a fault of the network makes us ask for a cluster's topology.
const reloadEvery = time.Second

func newServer(client redis.UniversalClient, cfg Config) (server, error) {
	if v := reflect.ValueOf(client); client == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return server{}, errors.New("lock: client: got nil, want a *redis.Client or *redis.ClusterClient")
	}
	s := server{client: client, inline: min(inlineLimit, cfg.MaxValue), reloaded: new(atomic.Int64), turns: newTurns(), peers: new(sync.Map)}
	switch c := client.(type) {
	case *redis.Client:
		s.obedient = c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		s.cluster = c
		o := c.Options()
		s.obedient = o.ContextTimeoutEnabled
		if replicaReads(o) {
			// Such a client sends GET to a replica, which lags behind. A script goes to the
			// primary, so let scripts bring values of any length that is accepted.
			s.inline = cfg.MaxValue
		}
	case *redis.Ring:
		return server{}, errors.New("lock: client: got a *redis.Ring, want a *redis.Client or *redis.ClusterClient: " +
			"a ring moves keys to other servers as servers come and go, and a moved key is a forgotten one")
	default:
		s.client = &another{client}
	}
	var err error
	if s.acked, err = newAcked(client, cfg); err != nil {
		return server{}, err
	}
	return s, verdict(cfg, clientFindings(client))
}

// run sends a script and waits for its reply until ctx ends. If grantee is not nil the script is
// begin, and a grant that comes after that is handed back: nobody will use it.
func (s *server) run(ctx context.Context, sc *script, args []any, grantee *Locker) (reply, error) {
	// The turn is waited for outside of impatient, so that a script that never had one is known to be unsent.
	turn, err := s.turn(ctx, sc, args[3].(string))
	if err != nil {
		return reply{}, err
	}
	if s.obedient {
		defer s.turns.give(turn)
		return s.send(ctx, sc, args)
	}
	return impatient(ctx, func() (reply, error) {
		defer s.turns.give(turn)
		return s.send(ctx, sc, args)
	}, func(late reply) {
		if grantee != nil && late.status == ok {
			grantee.handBack(ctx, args[3], args[4])
		}
	})
}

// send sends a script within a turn.
func (s *server) send(ctx context.Context, sc *script, args []any) (reply, error) {
	if s.acked != nil && sc.holds {
		return s.confirm(ctx, sc, args)
	}
	cmd := sc.command(ctx, args)
	err := s.client.Process(ctx, cmd)
	if unknownScript(err) {
		cmd = sc.loading(ctx, args)
		err = s.client.Process(ctx, cmd)
	}
	return s.result(cmd, err)
}

// pipeline sends scripts to a node, and WAIT behind them in acked mode. Each script has its own error;
// the count is of the replicas that have what all of them have written.
func (s *server) pipeline(ctx context.Context, node redis.UniversalClient, asking bool, scripts ...redis.Cmder) (acks int64, err error) {
	pipe := node.Pipeline()
	if asking {
		for _, script := range scripts {
			pipe.Do(ctx, "asking") // holds for one command
			_ = pipe.Process(ctx, script)
		}
	} else {
		_ = pipe.BatchProcess(ctx, scripts...)
	}
	if s.acked == nil {
		_, _ = pipe.Exec(ctx)
		return 0, nil
	}
	wait := redis.NewIntCmd(ctx, "wait", s.acked.want, s.acked.within)
	_ = pipe.Process(ctx, wait)
	_, _ = pipe.Exec(ctx)
	return wait.Result()
}

// primary is the client of the node that serves a key, or nil with an error.
func (s *server) primary(ctx context.Context, key string) (redis.UniversalClient, error) {
	if s.cluster == nil {
		return s.client, nil
	}
	var node *redis.Client
	var err error
	if s.obedient {
		node, err = s.cluster.MasterForKey(ctx, key)
	} else { // it may ask for the topology
		node, err = impatient(ctx, func() (*redis.Client, error) { return s.cluster.MasterForKey(ctx, key) }, func(*redis.Client) {})
	}
	if err != nil {
		return nil, err // not a nil *redis.Client, which is another nil
	}
	return node, nil
}

// get fetches a whole value, of which a script has said that it is no longer than Config.MaxValue. (One that
// is replaced by a longer one between the two is fetched, too. GETRANGE would not do that, but ask more of an
// ACL than GET; who can write to Redis at will can keep it busy in simpler ways.)
func (s *server) get(ctx context.Context, key string) (value string, found bool, err error) {
	turn, err := s.turn(ctx, nil, key)
	if err != nil {
		return "", false, err
	}
	fetch := func() (string, error) {
		defer s.turns.give(turn)
		return s.client.Get(ctx, key).Result()
	}
	if s.obedient {
		value, err = fetch()
	} else {
		value, err = impatient(ctx, fetch, func(string) {})
	}
	if err == redis.Nil {
		return "", false, nil
	}
	return value, err == nil, s.fault(err)
}

// impatient runs f, but not past the end of ctx: go-redis without ContextTimeoutEnabled waits for
// a hung server until its own ReadTimeout, retry after retry. A result that comes later goes to
// late: the channel has no buffer, so each result is handed to exactly one of the two.
func impatient[T any](ctx context.Context, f func() (T, error), late func(T)) (T, error) {
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
			if err == nil {
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

// fault translates every error of go-redis.
func (s *server) fault(err error) error {
	if err == nil {
		return nil
	}
	if _, isReply := errors.AsType[redis.Error](err); isReply && strings.Contains(err.Error(), "WRONGTYPE") {
		return ErrCorrupt
	}
	s.reload(err)
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// reload asks for the cluster's topology anew after a fault of the network. go-redis does so for
// MOVED, but not when the node that it knows is away: measured, 20 s of errors after a failover,
// and 4.2 s with this.
func (s *server) reload(err error) {
	if errors.Is(err, redis.ErrClosed) {
		s.peers.Clear() // the cluster's client has closed some that it has no use for
	}
	if _, isNet := errors.AsType[net.Error](err); !isNet || s.cluster == nil {
		return
	}
	now, last := time.Now().UnixNano(), s.reloaded.Load()
	if now-last >= int64(reloadEvery) && s.reloaded.CompareAndSwap(last, now) {
		s.cluster.ReloadState(context.Background())
	}
}
