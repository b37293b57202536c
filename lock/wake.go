package lock

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A waker lets waiters sleep until a key changes hands. Commit, release and abandon publish on the
// sharded channel named like the key. All waiters of a process share one connection per Redis
// node, and all waiters of a key one subscription. Every event is only a hint to look again: what
// holds is what begin answers.
//
// A waiter rests only on a channel that somebody can publish on. SSUBSCRIBE may be allowed where
// SPUBLISH is not, and the scripts swallow that refusal, so each connection proves its node's channels
// once, by publishing on one of them and hearing it. That says nothing about a holder elsewhere who has
// other rights, nor about a message that gets lost, so whoever rests looks all the same now and then.
type waker struct {
	client  redis.UniversalClient
	cluster *redis.ClusterClient // nil for other clients

	mu      sync.Mutex
	nodes   map[redis.UniversalClient]*listener
	retryAt time.Time // Redis knows no sharded channels, or forbids them: don't ask before then
}

const (
	// lingerFor keeps an idle connection, because waiters come in bursts.
	lingerFor = 5 * time.Second
	// askAgain is how long a server's refusal of SSUBSCRIBE or SPUBLISH is believed.
	askAgain = time.Minute
	// probe is what a connection publishes to itself. Nothing has happened to the key.
	probe = "?"
	// proveWithin bounds one probe, and is the pause before the next.
	proveWithin = time.Second
)

func (w *waker) init(client redis.UniversalClient) {
	w.client = client
	w.cluster, _ = client.(*redis.ClusterClient)
	w.nodes = map[redis.UniversalClient]*listener{}
}

// A watch is one waiter's view of a key.
type watch struct {
	c        chan struct{} // look again
	key      string
	subbed   atomic.Bool
	listener *listener // nil where channels can't be had
}

// broken tells that there will be no events any more.
func (w *watch) broken() bool { return w.listener == nil || w.listener.ended.Load() }

// live tells whether events can be relied on, so that there is no need to poll.
func (w *watch) live() bool { return w.subbed.Load() && w.listener.proved.Load() }

// ring never blocks: one pending hint is as good as many.
func (w *watch) ring() {
	select {
	case w.c <- struct{}{}:
	default:
	}
}

func (w *watch) stop() {
	if w.listener != nil {
		w.listener.remove(w)
	}
}

// watch starts to listen for key, without waiting for it to take effect.
func (w *waker) watch(key string) *watch {
	v := &watch{c: make(chan struct{}, 1), key: key}
	if w.client == nil {
		return v // of a quorum lock, whose waiters ask
	}
	node := w.client
	if w.cluster != nil {
		// A sharded channel lives on the node of its slot. If the slot moves, the node says so
		// by unsubscribing, and the waiter polls.
		master, err := w.cluster.MasterForKey(context.Background(), key)
		if err != nil {
			return v
		}
		node = master
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Now().Before(w.retryAt) {
		return v
	}
	l := w.nodes[node]
	if l == nil {
		l = newListener(w, node)
		w.nodes[node] = l
	}
	v.listener = l
	l.add(v)
	return v
}

// forget drops a listener that has ended. refused: because the server won't have it.
func (w *waker) forget(l *listener, refused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nodes[l.node] == l {
		delete(w.nodes, l.node)
	}
	if refused {
		w.retryAt = time.Now().Add(askAgain)
	}
}
