package lock

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

// A watch that comes while its key's subscription still stands is told so, for Redis will not say it again.
func TestWatchOfAStandingSubscription(t *testing.T) {
	var w waker
	w.init(redis.NewClient(&redis.Options{}))
	l := &listener{waker: &w, keys: map[string]map[*watch]struct{}{}, inPlace: map[string]struct{}{}, changed: make(chan struct{}, 1)}
	l.proved.Store(true)
	watching := func() *watch {
		v := &watch{c: make(chan struct{}, 1), key: "k", listener: l}
		l.add(v)
		return v
	}
	rung := func(v *watch) bool {
		select {
		case <-v.c:
			return true
		default:
			return false
		}
	}
	first := watching()
	if first.live() || rung(first) {
		t.Error("live before Redis has confirmed it")
	}
	l.tell("k", true)
	if !first.live() || !rung(first) {
		t.Error("not live, or not rung, when Redis has confirmed it")
	}
	first.stop()
	second := watching() // before the listener has come to end the subscription
	if !second.live() || !rung(second) {
		t.Error("not live, though the subscription stands")
	}
	l.tell("", false)
	third := watching()
	if second.live() || third.live() {
		t.Error("live on a broken connection")
	}
	second.stop()
	third.stop()
	l.tell("k", true) // a message that was on its way
	if fourth := watching(); fourth.live() {
		t.Error("live by a message of before")
	}
}
