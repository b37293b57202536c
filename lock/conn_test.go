package lock

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

// A subscription to a key that Redis has confirmed before is active at once, for Redis will not say
// it again.
func TestSubscriptionJoinsAnotherOfItsKey(t *testing.T) {
	var n notifier
	n.init(redis.NewClient(&redis.Options{}))
	c := &conn{notifier: &n, keys: map[string]map[*subscription]struct{}{}, confirmed: map[string]struct{}{}, changed: make(chan struct{}, 1)}
	c.proved.Store(true)
	subscribe := func() *subscription {
		s := newSubscription("k")
		s.conn = c
		c.add(s)
		return s
	}
	notified := func(s *subscription) bool {
		select {
		case <-s.c:
			return true
		default:
			return false
		}
	}
	first := subscribe()
	if first.active() || notified(first) {
		t.Error("active before Redis has confirmed it")
	}
	c.notifyKey("k", true)
	if !first.active() || !notified(first) {
		t.Error("not active, or no notice, when Redis has confirmed it")
	}
	first.stop()
	second := subscribe() // before the connection has come to end the subscription
	if !second.active() || !notified(second) {
		t.Error("not active, though Redis has confirmed it")
	}
	c.notifyAll()
	third := subscribe()
	if second.active() || third.active() {
		t.Error("active on a broken connection")
	}
	second.stop()
	third.stop()
	c.notifyKey("k", true) // a message that was on its way
	if fourth := subscribe(); fourth.active() {
		t.Error("active by a message of before")
	}
}
