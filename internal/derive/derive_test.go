package derive

import (
	"context"
	"errors"
	"testing"
)

func TestKey(t *testing.T) {
	under := func(redisKey string, shadow bool) context.Context {
		return context.WithValue(t.Context(), SourceKey{}, Source{RedisKey: redisKey, Shadow: shadow})
	}
	// What has been sent to another company must be what the next release sends.
	if key, err := Key(under("reprise:0123", false), "charge"); err != nil || key != "ef60fe7e-ea40-8614-9d45-530db444871f" {
		t.Errorf("got %s, %v", key, err)
	}
	a, _ := Key(under("reprise:ab", false), "c")
	b, _ := Key(under("reprise:a", false), "bc")
	if a == b {
		t.Error("two pairs of key and name have one derived key")
	}
	a, _ = Key(under("reprise:ab", true), "c")
	b, _ = Key(under("reprise:ab", true), "c")
	if a == b {
		t.Error("in shadow mode, two keys are the same")
	}
	if _, err := Key(t.Context(), "charge"); !errors.Is(err, ErrNoWork) {
		t.Errorf("outside of work: %v", err)
	}
}

func BenchmarkKey(b *testing.B) {
	ctx := context.WithValue(b.Context(), SourceKey{}, Source{RedisKey: "reprise:0123"})
	for b.Loop() {
		_, _ = Key(ctx, "charge")
	}
}
