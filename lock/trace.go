package lock

import (
	"context"
	"errors"
)

// A Trace is told what becomes of leases, of those who wait for one, and of scripts that fail. Its
// functions may be nil. They are called from several goroutines at once, and must not block.
type Trace struct {
	// Granted is called for each lease, before anybody has it; and Ended once for each, when it is held
	// no more. from is Live or Suspended, to is Ended or Lost: lost by its time, or because its key was
	// found to be another's, which may be no sooner than at its commit.
	Granted func(*Lease)
	Ended   func(l *Lease, from, to State)

	Renewed   func(*Lease, error) // a renewal has come back: nil if it extended the lease
	Suspended func(*Lease, error) // a renewal failed; the lease is live until it runs out
	Resumed   func(*Lease)        // a renewal succeeded after one that failed
	Lost      func(*Lease)        // the renewer has found the lease gone, and has ended its context

	// WaitBegan and WaitEnded are called for each who waits in Acquire, and WaitRefused for each who
	// may not, for Config.MaxWaiters or MaxWaitersPerScope.
	WaitBegan, WaitEnded, WaitRefused func(context.Context)

	// Failed is called for each script that Redis did not answer or refused, or that too few replicas
	// confirmed: begin, renew, commit, release, abandon, regain, and an operator's inspect and act; and
	// for "get", which fetches a long value. The error is ErrUnavailable or ErrUnconfirmed.
	Failed func(ctx context.Context, script string, err error)
}

func (t *Trace) granted(l *Lease) {
	if t != nil && t.Granted != nil {
		t.Granted(l)
	}
}

func (t *Trace) ended(l *Lease, from, to State) {
	if t != nil && t.Ended != nil {
		t.Ended(l, from, to)
	}
}

func (t *Trace) renewed(l *Lease, err error) {
	if t != nil && t.Renewed != nil {
		t.Renewed(l, err)
	}
}

// changed tells what the renewer has found out about a lease.
func (t *Trace) changed(l *Lease, from, to State, err error) {
	switch {
	case t == nil:
	case to == Live && t.Resumed != nil:
		t.Resumed(l)
	case to == Suspended && t.Suspended != nil:
		t.Suspended(l, err)
	case to == Lost:
		if t.Lost != nil {
			t.Lost(l)
		}
		t.ended(l, from, to)
	}
}

// waits tells that somebody begins to wait, and returns what tells of the end.
func (t *Trace) waits(ctx context.Context) (ended func()) {
	if t == nil {
		return func() {}
	}
	if t.WaitBegan != nil {
		t.WaitBegan(ctx)
	}
	return func() {
		if t.WaitEnded != nil {
			t.WaitEnded(ctx)
		}
	}
}

func (t *Trace) waitRefused(ctx context.Context) {
	if t != nil && t.WaitRefused != nil {
		t.WaitRefused(ctx)
	}
}

// failed is for every error of a script, and tells of those that are a fault of the store's.
func (t *Trace) failed(ctx context.Context, script string, err error) {
	if err == nil || t == nil || t.Failed == nil {
		return
	}
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnconfirmed) {
		t.Failed(ctx, script, err)
	}
}
