package lock

import (
	"context"
	"testing"
	"time"
)

// What the library itself costs, on a Redis that answers at once: a grant and its commit, and a
// grant and its release.
func BenchmarkAcquireCommit(b *testing.B) {
	benchmarkLease(b, func(ctx context.Context, l *Lease) error {
		_, err := l.Commit(ctx, []byte("value"), time.Minute)
		return err
	})
}

func BenchmarkAcquireRelease(b *testing.B) {
	benchmarkLease(b, func(ctx context.Context, l *Lease) error { return l.Release(ctx) })
}

func benchmarkLease(b *testing.B, end func(context.Context, *Lease) error) {
	l, _ := manyLeases(b, 1, nil)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		lease, err := l.TryAcquire(ctx, "key", Terms{Detached: true})
		if err != nil {
			b.Fatal(err)
		}
		if err := end(ctx, lease); err != nil {
			b.Fatal(err)
		}
	}
}
