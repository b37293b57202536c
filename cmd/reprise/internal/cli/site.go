package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/internal/nodename"
	"github.com/reprise-go/reprise/internal/redisurl"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A site is the Redis and the settings that the environment names.
type site struct {
	client  redis.UniversalClient
	cluster *redis.ClusterClient // nil for one server
	engine  *replay.Engine
	cfg     replay.Config // defaults filled in
}

// open makes a client and an engine of the environment, and contacts nobody. The caller closes it.
func (p *program) open() (*site, error) {
	cfg, faults := replay.FromEnv(p.prefix, p.Environ)
	client, err := lock.ClientFromEnv(p.prefix, p.Environ)
	if client == nil && err == nil {
		err = fmt.Errorf("%sREDIS_URL: it isn't set: want where Redis is, such as redis://127.0.0.1:6379", p.prefix)
	}
	if err := errors.Join(err, faults); err != nil {
		if client != nil {
			_ = client.Close()
		}
		return nil, &fault{misused, err, "reprise env has all variables, and what is wrong with each"}
	}
	// What an operator looks at is not to be refused for what New would warn of; check tells it.
	cfg.Lock.Strict = false
	s := &site{client: client}
	s.cluster, _ = client.(*redis.ClusterClient)
	if s.engine, err = replay.New(client, cfg); err != nil {
		_ = client.Close()
		return nil, &fault{misused, err, ""}
	}
	s.cfg = s.engine.Config()
	return s, nil
}

// connect is open for a command that asks Redis: it learns a cluster's topology first. All nodes are asked for
// it in turn, and one that hangs costs the client's ReadTimeout; a request, which takes less, would give up.
// What keeps it from being learned shows in what comes after.
func (p *program) connect(ctx context.Context) (*site, error) {
	s, err := p.open()
	if err == nil {
		_ = s.learn(ctx)
	}
	return s, err
}

func (s *site) learn(ctx context.Context) error {
	if s.cluster == nil {
		return nil
	}
	_, err := s.cluster.MasterForKey(ctx, "any")
	return err
}

func (s *site) close() { _ = s.client.Close() }

// A node is one primary.
type node struct {
	addr   string
	client redis.UniversalClient
}

// nodeOf is the primary that serves a Redis key, as far as the topology is known.
func (s *site) nodeOf(ctx context.Context, key string) (node, error) {
	if s.cluster != nil {
		c, err := s.cluster.MasterForKey(ctx, key)
		if err != nil {
			return node{}, err
		}
		return node{c.Options().Addr, c}, nil
	}
	return s.single(), nil
}

// primaries are all of them, by their addresses.
func (s *site) primaries(ctx context.Context) (all []node, err error) {
	if s.cluster == nil {
		return []node{s.single()}, nil
	}
	var mu sync.Mutex
	err = s.cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, node{c.Options().Addr, c})
		return nil
	})
	slices.SortFunc(all, func(a, b node) int { return strings.Compare(a.addr, b.addr) })
	return all, err
}

// tries is how often a check is begun again that had no answer from any node.
const tries = 5

// findings are the engine's. If the one node that was asked where the others are has hung for all the time that
// a check takes, then nobody has answered, and another is asked.
func (s *site) findings(ctx context.Context) (found []*lock.SettingError, err error) {
	for range tries {
		start := time.Now()
		found, err = s.engine.Findings(ctx)
		if err == nil || s.cluster == nil || time.Since(start) < s.cfg.Lock.Timeout || ctx.Err() != nil {
			break
		}
	}
	return found, err
}

func (s *site) single() node {
	if c, ok := s.client.(*redis.Client); ok {
		return node{nodename.Of(c), c}
	}
	return node{"Redis", s.client}
}

// unavailable is the fault of a Redis that could not be asked about a Redis key, or about anything if
// that is empty.
func (s *site) unavailable(ctx context.Context, what, key string, err error) error {
	reason, cure := s.reason(err), s.cure(err)
	if stopped := ended(ctx); statusOf(stopped) == interrupted {
		return stopped
	} else if stopped != nil {
		reason = stopped.Error()
	}
	return &fault{failed, fmt.Errorf("could not %s at %s: %s", what, s.where(key), reason), cure}
}

// reason is why Redis could not be asked, without what wraps that.
func (s *site) reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %v", s.cfg.Lock.Timeout)
	}
	text := err.Error()
	if i := strings.LastIndex(text, "unavailable: "); i >= 0 {
		text = text[i+len("unavailable: "):]
	}
	return text
}

// cure is what helps where Redis could not be asked.
func (s *site) cure(err error) string {
	if text := err.Error(); strings.Contains(text, "NOPERM") || strings.Contains(text, "The user executing the script can't run this command") {
		return "allow it: docs/redis.md has an operator's user"
	}
	return redisurl.Cure(s.client, err)
}

// where is the node that serves a key, if the topology is known, or else all that were given.
func (s *site) where(key string) string {
	if s.cluster == nil {
		return s.single().addr
	}
	if key != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if n, err := s.nodeOf(ctx, key); err == nil {
			return n.addr
		}
	}
	return strings.Join(s.cluster.Options().Addrs, ", ")
}
