package lock

import (
	"context"
	"testing"
	"time"
)

// A context that ends without an error makes package context panic in whatever was derived from it.
func TestLimitedContextIsAContext(t *testing.T) {
	type name struct{}
	asked, gone := context.WithCancel(context.WithValue(t.Context(), name{}, "value"))
	gone()
	s := &server{obedient: true}

	ctx, stop := s.limit(asked, time.Hour)
	if d, ok := ctx.Deadline(); !ok || time.Until(d) > time.Hour || time.Until(d) < 59*time.Minute {
		t.Errorf("deadline %v, %v", d, ok)
	}
	if ctx.Err() != nil || ctx.Done() != nil || ctx.Value(name{}) != "value" {
		t.Errorf("at first: %v, %v, %v", ctx.Err(), ctx.Done(), ctx.Value(name{}))
	}
	if second := ctx.Done(); second == nil || ctx.Done() != second {
		t.Error("no timer at the second look, or one for each")
	}
	derived, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stop()
	<-ctx.Done()
	<-derived.Done()
	if ctx.Err() != context.Canceled || derived.Err() != context.Canceled {
		t.Errorf("stopped: %v, and what was derived from it %v", ctx.Err(), derived.Err())
	}

	for _, looks := range []int{0, 1, 2} {
		over, stop := s.limit(asked, -time.Second)
		for range looks {
			over.Done()
		}
		if over.Err() != context.DeadlineExceeded {
			t.Errorf("past its deadline, after %d looks: %v", looks, over.Err())
		}
		stop()
		stop()
	}
}
