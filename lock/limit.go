package lock

import (
	"context"
	"sync"
	"time"
)

// limit returns a context for a command that the end of ctx must not stop, and that takes timeout at
// most.
func (s *server) limit(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if s.obedient {
		l := &limited{Context: ctx, deadline: time.Now().Add(timeout)}
		return l, l.stop
	}
	return context.WithTimeout(context.WithoutCancel(ctx), timeout)
}

// limited is a context with the values of another and a deadline of its own, for an obedient client.
// That makes the deadline its socket's, and looks at Done once before it takes a connection from
// its pool. A timer is set only when it looks again, since it has to wait for something else: a
// connection, a dial (which a vanished host leaves unanswered), the pause before a retry.
type limited struct {
	context.Context
	deadline time.Time

	mu     sync.Mutex
	looked bool
	timer  context.Context // nil until it is needed
	cancel context.CancelFunc
}

func (l *limited) Deadline() (time.Time, bool) { return l.deadline, true }

func (l *limited) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.looked {
		l.looked = true
		return nil
	}
	if l.timer == nil {
		l.timer, l.cancel = context.WithDeadline(context.WithoutCancel(l.Context), l.deadline)
	}
	return l.timer.Done()
}

func (l *limited) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.timer != nil:
		return l.timer.Err() // in step with Done
	case time.Now().Before(l.deadline):
		return nil
	}
	return context.DeadlineExceeded
}

func (l *limited) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel != nil {
		l.cancel()
	}
}
