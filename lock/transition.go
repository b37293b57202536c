package lock

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What becomes of a claim on one server. Each transition is one script.

// begin asks for a key once. The end of caller doesn't cut it short, but nothing is sent any more
// for a caller who has gone.
func (s *server) begin(caller context.Context, id leaseID, terms Terms) (reply, error) {
	bounded := s.bounded(caller)
	defer bounded.end()
	return s.run(bounded, s.requests.begin(caller, id, terms))
}

// An ending is a release or an abandon, and what its holder knows.
type ending struct {
	script     *script
	lost       bool // the lease was lost before
	sentBefore bool // the holder has ended it before, by a command that may have arrived
}

// end runs release or abandon. If it finds the key another's, the lease was lost, unless the
// command was sent before: then the first sending, whose reply was lost, may have freed the key for
// the other.
func (s *server) end(ctx context.Context, id leaseID, how ending) (reply, error) {
	req := s.requests.end(how.script, id)
	r, err := s.run(ctx, req)
	if err == nil && r.status != statusOK && !how.lost && (how.sentBefore || req.sent.several()) {
		return reply{status: statusOK}, nil
	}
	return r, err
}

// handBack undoes a grant that nobody will use, or that we may hold without knowing. If it can't,
// the lease ends by itself.
func (s *server) handBack(ctx context.Context, id leaseID) {
	bounded := s.bounded(ctx)
	defer bounded.end()
	_, _ = s.run(bounded, s.requests.handBack(id))
}

// errorFor turns what a script found under the key into an error. It returns nil if the value was
// too long to come along and has gone since.
func (s *server) errorFor(ctx context.Context, key string, r reply) error {
	switch r.status {
	case statusHeld, statusAbandoned:
		claim, ok := parseClaim(r.value)
		if !ok {
			return ErrCorrupt
		}
		if r.status == statusHeld {
			return &HeldError{Claim: claim, Left: time.Duration(r.left) * time.Millisecond}
		}
		return &AbandonedError{Claim: claim}
	case statusDoneLong:
		if r.size > s.cfg.MaxValue {
			return &TooLongError{Size: r.size, Limit: s.cfg.MaxValue}
		}
		ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
		defer cancel()
		value, found, err := s.get(ctx, key)
		if err != nil {
			return fmt.Errorf("%w: %w", err, ErrDone) // Redis did say that much
		}
		if _, isClaim := parseClaim(value); !found || isClaim {
			return nil
		}
		r.value = value
	}
	if n := int64(len(r.value)); n > s.cfg.MaxValue {
		return &TooLongError{Size: n, Limit: s.cfg.MaxValue}
	}
	// Nobody commits an empty value or one that could be taken for a claim.
	if checkValue(r.value) != nil {
		return ErrCorrupt
	}
	return &DoneError{Value: r.value}
}

// lossOf says why a commit, release or abandon did not do what it should: by the error ErrLost and
// what stands under the key instead, or by ErrUnavailable if nobody knows.
func (s *server) lossOf(ctx context.Context, key string, r reply, err error) error {
	if err == nil {
		if err = s.errorFor(ctx, key, r); err == nil {
			err = ErrUnavailable // another's value, gone while it was fetched
		}
	}
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}
