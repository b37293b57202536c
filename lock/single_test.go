package lock

import (
	"context"
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"
)

// badGrants is the hook of a client whose Redis grants claims that can't be read.
type badGrants struct{ released int }

func (b *badGrants) DialHook(next redis.DialHook) redis.DialHook { return next }

func (b *badGrants) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (b *badGrants) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		c := cmd.(*redis.Cmd)
		switch c.Args()[1] {
		case beginScript.sha:
			c.SetVal("L1 unreadable")
		case releaseScript.sha:
			b.released++
			c.SetVal(int64(1))
		}
		return nil
	}
}

func TestGrantThatCantBeReadIsHandedBack(t *testing.T) {
	client := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	defer client.Close()
	hook := &badGrants{}
	client.AddHook(hook)
	l, err := New(client, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.TryAcquire(t.Context(), "key", Terms{}); !errors.Is(err, errBadGrant) || hook.released != 1 {
		t.Errorf("got %v, and handed back %d times, want once", err, hook.released)
	}
}
