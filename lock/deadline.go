package lock

import (
	"context"
	"sync"
	"time"
)

// A deadlineContext ends at its deadline, or when its holder ends it, and with nothing else: it is
// what bounds a command that the end of its caller must not stop. It has the caller's values.
//
// Unlike that of context.WithDeadline, its timer and channel are made when somebody asks for the
// channel. A script that shares a pipeline asks for neither: measured with 32 callers, the two
// timers of a first request took 5 % of its CPU.
type deadlineContext struct {
	context.Context // without an end
	deadline        time.Time

	mu    sync.Mutex
	err   error         // of its end; set before done is closed
	done  chan struct{} // nil until somebody asks
	timer *time.Timer   // of done
}

// bounded is the context of something that the end of ctx must not stop, and that takes
// Config.Timeout at most. It is to be ended when that is over.
func (s *server) bounded(ctx context.Context) *deadlineContext {
	return &deadlineContext{Context: context.WithoutCancel(ctx), deadline: time.Now().Add(s.cfg.Timeout)}
}

func (c *deadlineContext) Deadline() (time.Time, bool) { return c.deadline, true }

func (c *deadlineContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		left := time.Until(c.deadline)
		switch {
		case c.err != nil:
			close(c.done)
		case left <= 0:
			c.stop(context.DeadlineExceeded)
		default:
			c.timer = time.AfterFunc(left, func() { c.finish(context.DeadlineExceeded) })
		}
	}
	return c.done
}

// Err goes by the timer once there is one, so that it never tells of an end before Done does.
func (c *deadlineContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.done == nil && time.Until(c.deadline) <= 0 {
		c.stop(context.DeadlineExceeded)
	}
	return c.err
}

// end ends the context when what it bounded is over.
func (c *deadlineContext) end() { c.finish(context.Canceled) }

func (c *deadlineContext) finish(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop(err)
}

// stop is finish for a caller who holds mu.
func (c *deadlineContext) stop(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.done != nil {
		close(c.done)
	}
}

// timers are stopped ones, to be used again by those who wait in a pipeliner. Each server has its
// own: a timer that was made in a bubble of testing/synctest can't be used in another.
type timers struct{ pool sync.Pool }

// after returns a timer that fires after a time.
func (ts *timers) after(d time.Duration) *time.Timer {
	if timer, ok := ts.pool.Get().(*time.Timer); ok {
		timer.Reset(d)
		return timer
	}
	return time.NewTimer(d)
}

// put takes a timer back. After Stop nothing is left in its channel (since Go 1.23).
func (ts *timers) put(t *time.Timer) {
	t.Stop()
	ts.pool.Put(t)
}
