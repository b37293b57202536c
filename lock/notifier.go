package lock

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A notifier lets waiters sleep until a key changes hands. Commit, release and abandon publish on
// the sharded channel named like the key. All waiters of a process share one connection per Redis
// node, and all waiters of a key one subscription. Every notice is only a hint to look again: what
// holds is what begin answers.
//
// A waiter rests only on a channel that somebody can publish on. SSUBSCRIBE may be allowed where
// SPUBLISH is not, and the scripts swallow that refusal, so each connection proves its node's
// channels once, by publishing on one of them and hearing it. That says nothing about a holder
// elsewhere who has other rights, nor about a message that gets lost, so whoever rests looks all
// the same now and then.
type notifier struct {
	client  redis.UniversalClient
	cluster *redis.ClusterClient // nil for other clients

	mu      sync.Mutex
	conns   map[redis.UniversalClient]*conn
	retryAt time.Time // Redis knows no sharded channels, or forbids them: don't ask before then
}

const (
	// lingerFor keeps an idle connection, because waiters come in bursts.
	lingerFor = 5 * time.Second
	// askAgain is how long a server's refusal of SSUBSCRIBE or SPUBLISH is believed.
	askAgain = time.Minute
)

func (n *notifier) init(client redis.UniversalClient) {
	n.client = client
	n.cluster, _ = client.(*redis.ClusterClient)
	n.conns = map[redis.UniversalClient]*conn{}
}

// A subscription gives one waiter notice of a key.
type subscription struct {
	c         chan struct{} // look again
	key       string
	confirmed atomic.Bool
	conn      *conn // nil where channels can't be had
}

// newSubscription makes one that never gives notice until it has a connection.
func newSubscription(key string) *subscription {
	return &subscription{c: make(chan struct{}, 1), key: key}
}

// closed tells that there will be no notice any more.
func (s *subscription) closed() bool { return s.conn == nil || s.conn.closed.Load() }

// active tells whether notices can be relied on, so that there is no need to poll.
func (s *subscription) active() bool { return s.confirmed.Load() && s.conn.proved.Load() }

// notify never blocks: one pending notice is as good as many.
func (s *subscription) notify() {
	select {
	case s.c <- struct{}{}:
	default:
	}
}

func (s *subscription) stop() {
	if s.conn != nil {
		s.conn.remove(s)
	}
}

// subscribe starts to listen for key, without waiting for it to take effect.
func (n *notifier) subscribe(key string) *subscription {
	s := newSubscription(key)
	node := n.client
	if n.cluster != nil {
		// A sharded channel lives on the node of its slot. If the slot moves, the node says so
		// by unsubscribing, and the waiter polls.
		master, err := n.cluster.MasterForKey(context.Background(), key)
		if err != nil {
			return s
		}
		node = master
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Now().Before(n.retryAt) {
		return s
	}
	c := n.conns[node]
	if c == nil {
		c = newConn(n, node)
		n.conns[node] = c
	}
	s.conn = c
	c.add(s)
	return s
}

// forget drops a connection that has closed. refused: because the server won't have it.
func (n *notifier) forget(c *conn, refused bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns[c.node] == c {
		delete(n.conns, c.node)
	}
	if refused {
		n.retryAt = time.Now().Add(askAgain)
	}
}
