package lock

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
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

// A listener is the connection to one node. Its own goroutine does all that goes over the network.
type listener struct {
	waker  *waker
	node   redis.UniversalClient
	pubsub *redis.PubSub

	ended  atomic.Bool // the connection broke, or was refused
	proved atomic.Bool // a message has come over it

	mu      sync.Mutex
	keys    map[string]map[*watch]struct{}
	inPlace map[string]struct{} // subscriptions that Redis has confirmed, and that we have not ended
	changed chan struct{}       // keys has changed
	proving bool                // a goroutine is at it
}

func newListener(w *waker, node redis.UniversalClient) *listener {
	l := &listener{
		waker:   w,
		node:    node,
		pubsub:  node.SSubscribe(context.Background()), // no channel yet: nothing is sent
		keys:    map[string]map[*watch]struct{}{},
		inPlace: map[string]struct{}{},
		changed: make(chan struct{}, 1),
	}
	go l.subscribe()
	return l
}

func (l *listener) add(v *watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	watches := l.keys[v.key]
	if watches == nil {
		watches = map[*watch]struct{}{}
		l.keys[v.key] = watches
		l.note()
	}
	if _, ok := l.inPlace[v.key]; ok {
		// No confirmation will come to ring for what happened before this watch.
		v.subbed.Store(true)
		v.ring()
	}
	watches[v] = struct{}{}
}

func (l *listener) remove(v *watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	watches := l.keys[v.key]
	delete(watches, v)
	if len(watches) == 0 {
		delete(l.keys, v.key)
		l.note()
	}
}

func (l *listener) note() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// subscribe keeps the connection's subscriptions equal to the keys that are waited for, and closes
// it when there have been none for a while.
func (l *listener) subscribe() {
	ctx := context.Background()
	have := map[string]struct{}{}
	reading := false
	idle := time.NewTimer(lingerFor)
	defer idle.Stop()
	for {
		select {
		case <-l.changed:
		case <-idle.C:
			if l.idle() {
				_ = l.pubsub.Close() // waits for a dial that is under way
				return
			}
		}
		l.mu.Lock()
		var more, less []string
		for key := range l.keys {
			if _, ok := have[key]; !ok {
				more = append(more, key)
				have[key] = struct{}{}
			}
		}
		for key := range have {
			if _, ok := l.keys[key]; !ok {
				less = append(less, key)
				delete(have, key)
				delete(l.inPlace, key)
			}
		}
		l.mu.Unlock()
		// Errors show in read, which sees the connection break.
		for _, key := range more {
			_ = l.pubsub.SSubscribe(ctx, key) // one a command: they may be of different slots
			if !reading {
				reading = true
				go l.read()
			}
		}
		for _, key := range less {
			_ = l.pubsub.SUnsubscribe(ctx, key)
		}
		idle.Reset(lingerFor)
	}
}

// read passes events on until the connection breaks, is closed or is refused. Waiters then poll
// until the wait ends; the next wait opens a new connection.
func (l *listener) read() {
	for {
		event, err := l.pubsub.Receive(context.Background())
		if err != nil {
			l.ended.Store(true)
			l.waker.forget(l, refused(err))
			_ = l.pubsub.Close()
			l.tell("", false)
			return
		}
		switch event := event.(type) {
		case *redis.Subscription:
			if event.Kind == "ssubscribe" {
				l.tell(event.Channel, true)
				l.prove()
			} else {
				l.tell(event.Channel, false)
			}
		case *redis.Message:
			l.proved.Store(true)
			if event.Payload != probe {
				l.tell(event.Channel, true)
			}
		}
	}
}

// prove has the connection proved, unless it is or somebody is at it.
func (l *listener) prove() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.proving || l.proved.Load() {
		return
	}
	l.proving = true
	go l.publish()
}

// publish publishes to ourselves until it is heard, or refused, or nobody waits.
func (l *listener) publish() {
	for pause := proveWithin; ; pause = min(2*pause, askAgain) {
		l.mu.Lock()
		channels := slices.Sorted(maps.Keys(l.inPlace)) // which is no matter, as long as it is the same each time
		if len(channels) == 0 || l.proved.Load() || l.ended.Load() {
			l.proving = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), proveWithin)
		err := l.node.SPublish(ctx, channels[0], probe).Err()
		cancel()
		if refused(err) {
			l.waker.forget(l, true)
			_ = l.pubsub.Close() // which read sees
			return
		}
		time.Sleep(pause)
	}
}

// tell rings the waiters of a key, or of all keys if it is empty, and notes whether their
// subscription is in place.
func (l *listener) tell(key string, subbed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ring := func(watches map[*watch]struct{}) {
		for v := range watches {
			v.subbed.Store(subbed)
			v.ring()
		}
	}
	if key != "" {
		watches, watched := l.keys[key]
		if delete(l.inPlace, key); subbed && watched {
			l.inPlace[key] = struct{}{}
		}
		ring(watches)
		return
	}
	clear(l.inPlace)
	for _, watches := range l.keys {
		ring(watches)
	}
}

// idle drops the listener if nobody waits. No waiter can come in between: watch adds to a
// listener under the waker's mutex.
func (l *listener) idle() bool {
	l.waker.mu.Lock()
	defer l.waker.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.keys) > 0 {
		return false
	}
	if l.waker.nodes[l.node] == l {
		delete(l.waker.nodes, l.node)
	}
	return true
}

// refused tells a server that has no sharded channels, or forbids them, from a broken connection.
func refused(err error) bool {
	_, isReply := errors.AsType[redis.Error](err)
	return isReply && (strings.Contains(err.Error(), "unknown command") || strings.Contains(err.Error(), "NOPERM"))
}
