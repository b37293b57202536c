package replay

import (
	"errors"
	"fmt"

	"github.com/reprise-go/reprise/cache"
)

// A Result says how a request got its answer.
type Result struct {
	Replayed   bool // the answer is that of an earlier request, to be had by Decode
	Reconciled bool // the answer is what Reconcile found out in this very request, to be had by Decode
	Repeated   bool // the work ran, and its answer comes of an effect of an earlier attempt (see Work)
	Stored     bool // later requests get this answer too
	Guarded    bool // the work ran, or had run, under a claim: false if Redis was down, or in shadow
	Attempt    int  // of the work that ran, or that Reconcile decided about; 0 on a replay

	// Fence is the number of that attempt's lease, which grows with each: 0 on a replay.
	Fence int64

	// Unconfirmed means that the answer is stored, but that fewer replicas than Config.Lock.Acks have
	// confirmed it, so that a failover may forget it. Always false without Acks.
	Unconfirmed bool

	record cache.Record
}

// Decode reads an answer that was replayed or reconciled into v, a pointer to what Answer.Value
// pointed to or was. Its errors are those of package cache; one that is the record's fault is
// ErrUnreadable, too.
func (r Result) Decode(v any) error {
	if !r.Replayed && !r.Reconciled {
		return errors.New("replay: nothing to decode: the work's own answer is the answer")
	}
	err := r.record.Decode(v)
	if errors.Is(err, cache.ErrCorrupt) {
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return err
}
