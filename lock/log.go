package lock

import (
	"errors"
	"log/slog"

	"github.com/reprise-go/reprise/internal/fault"
)

// What is logged of leases, each kind at most once a minute. docs/failures.md says what to do about it.

// logState logs what the renewer has found: err is why.
func (l *Locker) logState(lease *Lease, s State, err error) {
	switch {
	case s == Suspended && errors.Is(err, ErrUnconfirmed):
		l.logSuspended("too few replicas confirmed")
	case s == Suspended:
		l.logSuspended(fault.Cause(err))
	case s == Lost && !errors.Is(err, ErrLost):
		l.logLost(anothers)
	case s == Lost && lease.holdEnd.IsZero():
		l.logLost("held for MaxHold")
	case s == Lost:
		l.logLost("not renewed in time")
	}
}

const anothers = "the key is free or another's"

func (l *Locker) logLost(cause string) {
	l.log.Write(slog.LevelWarn, "lock: a lease is lost, and its context has ended", cause)
}

func (l *Locker) logSuspended(cause string) {
	l.log.Write(slog.LevelWarn, "lock: leases can't be renewed, and are lost when they run out", cause)
}
