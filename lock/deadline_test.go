package lock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What package context promises of any context holds for one whose channel comes late.
func TestDeadlineContext(t *testing.T) {
	type valueKey struct{}
	bounded := func(t *testing.T) *deadlineContext {
		caller, leave := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "a value"))
		s := &server{cfg: Config{Timeout: time.Second}}
		c := s.bounded(caller)
		leave() // which it doesn't heed
		return c
	}
	over := func(c *deadlineContext) bool {
		select {
		case <-c.Done():
			return true
		default:
			return false
		}
	}
	for name, asks := range map[string]bool{"the channel is asked for at once": true, "at the end only": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := bounded(t)
				if asks && over(c) {
					t.Error("it is over from the beginning")
				}
				if deadline, ok := c.Deadline(); !ok || !deadline.Equal(time.Now().Add(time.Second)) {
					t.Errorf("Deadline: %v, %v", deadline, ok)
				}
				if c.Err() != nil || c.Value(valueKey{}) != "a value" {
					t.Errorf("Err: %v, Value: %v", c.Err(), c.Value(valueKey{}))
				}
				time.Sleep(time.Second - 1)
				synctest.Wait()
				if c.Err() != nil {
					t.Errorf("a moment before its deadline: %v", c.Err())
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if !errors.Is(c.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(c), context.DeadlineExceeded) || !over(c) {
					t.Errorf("at its deadline: Err %v, Cause %v, over %v", c.Err(), context.Cause(c), over(c))
				}
				c.end()
				if !errors.Is(c.Err(), context.DeadlineExceeded) {
					t.Errorf("ended after that: %v", c.Err())
				}

				c = bounded(t)
				if asks {
					c.Done()
				}
				child, cancel := context.WithCancel(c)
				defer cancel()
				c.end()
				c.end()
				<-child.Done()
				if !errors.Is(c.Err(), context.Canceled) || !over(c) || !errors.Is(child.Err(), context.Canceled) {
					t.Errorf("ended: Err %v, over %v, of a child %v", c.Err(), over(c), child.Err())
				}
			})
		})
	}
}
