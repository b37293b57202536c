package lock_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// What the tests of package lock share.

const (
	key       = "k"
	ttl       = 15 * time.Second // lock's default
	remember  = 24 * time.Hour   // lock's default
	retention = time.Hour
)

var anyone lock.Terms

// errCanceled is the cause of a lease's context after the lease has been ended by its holder.
var errCanceled = context.Canceled

func grant(t *testing.T, l *lock.Locker, terms lock.Terms) *lock.Lease {
	t.Helper()
	lease, err := l.TryAcquire(t.Context(), key, terms)
	if err != nil {
		t.Fatalf("not granted: %v", err)
	}
	return lease
}

// refused checks that the key is not to be had, and why.
func refused[E error](t *testing.T, l *lock.Locker, terms lock.Terms) E {
	t.Helper()
	lease, err := l.TryAcquire(t.Context(), key, terms)
	e, ok := errors.AsType[E](err)
	if !ok || lease != nil {
		t.Fatalf("granted %v, %v, want %T", lease != nil, err, e)
	}
	return e
}

func commit(t *testing.T, lease *lock.Lease, want lock.Stored) {
	t.Helper()
	if stored, err := lease.Commit(t.Context(), value(lease), retention); stored != want || err != nil {
		t.Fatalf("commit: got %d, %v, want %d", stored, err, want)
	}
}

// value is what a lease commits: it names its owner.
func value(lease *lock.Lease) []byte { return fmt.Appendf(nil, "R %s", lease.Owner()) }

// stands checks which value is under the key.
func stands(t *testing.T, f *bubble.Fleet, want string) {
	t.Helper()
	if got, err := f.Redis.Get(key); got != want || err != nil {
		t.Errorf("under the key: %q, %v, want %q", got, err, want)
	}
}

// free checks that nothing is under the key.
func free(t *testing.T, f *bubble.Fleet) {
	t.Helper()
	if got, err := f.Redis.Get(key); err == nil {
		t.Errorf("under the key: %q, want nothing", got)
	}
}

// is checks for several errors in one.
func is(t *testing.T, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("got %v, want it to be: %v", err, target)
		}
	}
}

// ended checks that the lease's context has ended, and why.
func ended(t *testing.T, lease *lock.Lease, cause error) {
	t.Helper()
	if lease.Context().Err() == nil || context.Cause(lease.Context()) != cause {
		t.Errorf("cause %v, want %v", context.Cause(lease.Context()), cause)
	}
}

// live checks that the lease's context hasn't.
func live(t *testing.T, lease *lock.Lease) {
	t.Helper()
	if cause := context.Cause(lease.Context()); cause != nil || lease.State() != lock.Live {
		t.Errorf("state %d, cause %v, want a live lease", lease.State(), cause)
	}
}
