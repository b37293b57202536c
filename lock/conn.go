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

// A conn is the notifier's connection to one node. Its own goroutines do all that goes over the
// network.
type conn struct {
	notifier *notifier
	node     redis.UniversalClient
	pubsub   *redis.PubSub

	closed atomic.Bool // it broke, or was refused
	proved atomic.Bool // a message has come over it

	mu        sync.Mutex
	keys      map[string]map[*subscription]struct{}
	confirmed map[string]struct{} // keys whose subscription Redis has confirmed
	changed   chan struct{}       // keys has changed
	proving   bool                // a goroutine is at it
}

const (
	// echo is what a connection publishes to itself. Nothing has happened to the key.
	echo = "?"
	// echoWithin bounds the publishing of one echo, and is the pause before the next.
	echoWithin = time.Second
)

func newConn(n *notifier, node redis.UniversalClient) *conn {
	c := &conn{
		notifier:  n,
		node:      node,
		pubsub:    node.SSubscribe(context.Background()), // no channel yet: nothing is sent
		keys:      map[string]map[*subscription]struct{}{},
		confirmed: map[string]struct{}{},
		changed:   make(chan struct{}, 1),
	}
	go c.write()
	return c
}

func (c *conn) add(s *subscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	subs := c.keys[s.key]
	if subs == nil {
		subs = map[*subscription]struct{}{}
		c.keys[s.key] = subs
		c.noteChange()
	}
	if _, ok := c.confirmed[s.key]; ok {
		// No confirmation will come to give notice of what happened before.
		s.confirmed.Store(true)
		s.notify()
	}
	subs[s] = struct{}{}
}

func (c *conn) remove(s *subscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	subs := c.keys[s.key]
	delete(subs, s)
	if len(subs) == 0 {
		delete(c.keys, s.key)
		c.noteChange()
	}
}

func (c *conn) noteChange() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// write keeps the connection's subscriptions equal to the keys that are waited for, and closes it
// when there have been none for a while.
func (c *conn) write() {
	ctx := context.Background()
	have := map[string]struct{}{}
	reading := false
	idle := time.NewTimer(lingerFor)
	defer idle.Stop()
	for {
		select {
		case <-c.changed:
		case <-idle.C:
			if c.dropIfIdle() {
				_ = c.pubsub.Close() // waits for a dial that is under way
				return
			}
		}
		more, less := c.changes(have)
		// Errors show in read, which sees the connection break.
		for _, key := range more {
			_ = c.pubsub.SSubscribe(ctx, key) // one a command: they may be of different slots
			if !reading {
				reading = true
				go c.read()
			}
		}
		for _, key := range less {
			_ = c.pubsub.SUnsubscribe(ctx, key)
		}
		idle.Reset(lingerFor)
	}
}

// changes brings have up to the keys that are waited for, and returns what is new and what is gone.
func (c *conn) changes(have map[string]struct{}) (more, less []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.keys {
		if _, ok := have[key]; !ok {
			more = append(more, key)
			have[key] = struct{}{}
		}
	}
	for key := range have {
		if _, ok := c.keys[key]; !ok {
			less = append(less, key)
			delete(have, key)
			delete(c.confirmed, key)
		}
	}
	return more, less
}

// read passes notices on until the connection breaks, is closed or is refused. Waiters then poll
// until the wait ends; the next wait opens a new connection.
func (c *conn) read() {
	for {
		event, err := c.pubsub.Receive(context.Background())
		if err != nil {
			c.closed.Store(true)
			c.notifier.forget(c, isRefused(err))
			_ = c.pubsub.Close()
			c.notifyAll()
			return
		}
		switch event := event.(type) {
		case *redis.Subscription:
			confirmed := event.Kind == "ssubscribe"
			c.notifyKey(event.Channel, confirmed)
			if confirmed {
				c.prove()
			}
		case *redis.Message:
			c.proved.Store(true)
			if event.Payload != echo {
				c.notifyKey(event.Channel, true)
			}
		}
	}
}

// prove has the connection proved, unless it is or somebody is at it.
func (c *conn) prove() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proving || c.proved.Load() {
		return
	}
	c.proving = true
	go c.publishEchoes()
}

// publishEchoes publishes to ourselves until an echo is heard, or refused, or nobody waits.
func (c *conn) publishEchoes() {
	for pause := echoWithin; ; pause = min(2*pause, askAgain) {
		c.mu.Lock()
		// Any channel will do, as long as it is the same each time.
		channels := slices.Sorted(maps.Keys(c.confirmed))
		if len(channels) == 0 || c.proved.Load() || c.closed.Load() {
			c.proving = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), echoWithin)
		err := c.node.SPublish(ctx, channels[0], echo).Err()
		cancel()
		if isRefused(err) {
			c.notifier.forget(c, true)
			_ = c.pubsub.Close() // which read sees
			return
		}
		time.Sleep(pause)
	}
}

// notifyKey gives notice to the waiters of a key, and notes whether their subscription is in place.
func (c *conn) notifyKey(key string, confirmed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	subs, waited := c.keys[key]
	if delete(c.confirmed, key); confirmed && waited {
		c.confirmed[key] = struct{}{}
	}
	for s := range subs {
		s.confirmed.Store(confirmed)
		s.notify()
	}
}

// notifyAll gives notice to all waiters that no subscription is in place any more.
func (c *conn) notifyAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.confirmed)
	for _, subs := range c.keys {
		for s := range subs {
			s.confirmed.Store(false)
			s.notify()
		}
	}
}

// dropIfIdle drops the connection if nobody waits. No waiter can come in between: subscribe adds to
// a connection under the notifier's mutex.
func (c *conn) dropIfIdle() bool {
	c.notifier.mu.Lock()
	defer c.notifier.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) > 0 {
		return false
	}
	if c.notifier.conns[c.node] == c {
		delete(c.notifier.conns, c.node)
	}
	return true
}

// isRefused tells a server that has no sharded channels, or forbids them, from a broken connection.
func isRefused(err error) bool {
	_, isReply := errors.AsType[redis.Error](err)
	return isReply && (strings.Contains(err.Error(), "unknown command") ||
		strings.Contains(err.Error(), "NOPERM"))
}
