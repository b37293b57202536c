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
