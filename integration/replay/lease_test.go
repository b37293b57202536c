package replay_test

import (
	"context"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

func TestLongWorkIsRenewed(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		wait := newDesk(t, f).start(bg, request(), func(ctx context.Context) (replay.Answer, error) {
			time.Sleep(4 * leaseTime)
			return replay.Answer{Value: "done"}, ctx.Err()
		})
		d := newDesk(t, f)
		for range 11 {
			time.Sleep(5 * time.Second)
			d.ask(bg, request(), says("no")).wasRefused(t, replay.ErrInProgress, replay.InProgress)
		}
		r := wait()
		r.wasRun(t, "done", 1)
		if r.event.Work != 4*leaseTime || r.took != 4*leaseTime {
			t.Errorf("worked %v of %v, want %v", r.event.Work, r.took, 4*leaseTime)
		}
	})
}

func TestLongestHoldEndsTheWorkNotTheAnswer(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, func(c *replay.Config) { c.Lock.MaxHold = time.Minute })
		r := d.ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
			<-ctx.Done()
			if cause := context.Cause(ctx); cause != lock.ErrMaxHold {
				t.Errorf("cause %v, want %v", cause, lock.ErrMaxHold)
			}
			time.Sleep(time.Second) // the lease runs on
			return replay.Answer{Value: "done"}, nil
		})
		r.wasRun(t, "done", 1)
		if r.took != 59*time.Second { // MaxHold less Timeout, and the second
			t.Errorf("took %v", r.took)
		}
	})
}

func TestLongestHoldEndsInFailure(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		r := d.ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
			<-ctx.Done()
			return replay.Answer{}, context.Cause(ctx)
		})
		if r.err != lock.ErrMaxHold || r.took != 10*time.Minute-2*time.Second {
			t.Errorf("got %+v, want ErrMaxHold after 10m less Timeout", r)
		}
		d.ask(bg, request(), says("done")).wasRun(t, "done", 2)
	})
}

// Work that ignores its context is not waited for: the next attempt begins when the lease ends.
func TestLongestHoldIsKept(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, func(c *replay.Config) { c.Lock.MaxHold = time.Minute })
		end := d.hang(request(), "late")
		time.Sleep(time.Minute - time.Millisecond)
		newDesk(t, f).ask(bg, request(), says("no")).wasRefused(t, replay.ErrInProgress, replay.InProgress)
		time.Sleep(time.Millisecond)
		newDesk(t, f).ask(bg, request(), says("winner")).wasRun(t, "winner", 2)
		r := end()
		if r.value != "winner" || !r.Replayed || r.err != nil || r.event.Outcome != replay.LostLease {
			t.Errorf("got %+v, want the winner's record", r)
		}
	})
}

// Redis that hangs takes the lease away as one that is gone does.
func TestLeaseIsLostToAServerThatHangs(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		begun := time.Now()
		r := d.ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
			d.Freeze()
			<-ctx.Done()
			if took := time.Since(begun); context.Cause(ctx) != lock.ErrLost || took > leaseTime {
				t.Errorf("%v after %v", context.Cause(ctx), took)
			}
			d.Thaw()
			return replay.Answer{Value: "done"}, nil
		})
		r.wasRun(t, "done", 1)
	})
}

// The claim vanished (evicted, or forgotten by a failover): the answer is stored, and it is told.
func TestVanishedClaim(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		r := d.ask(bg, request(), func(context.Context) (replay.Answer, error) {
			f.Redis.FlushAll()
			return replay.Answer{Value: "done"}, nil
		})
		r.wasRun(t, "done", 1)
		if !r.event.Vanished {
			t.Error("the event says nothing of it")
		}
		d.ask(bg, request(), says("no")).wasReplayed(t, "done")
	})
}
