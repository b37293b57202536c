package lock

import (
	"errors"

	"github.com/reprise-go/reprise/internal/fault"
	"github.com/reprise-go/reprise/internal/ratelog"
)

// A leaseLog logs what becomes of leases, each kind at most once a minute. docs/failures.md says
// what to do about it.
type leaseLog struct{ *ratelog.Log }

// state logs what the renewer has found: err is why.
func (g leaseLog) state(l *Lease, s State, err error) {
	switch {
	case s == Suspended && errors.Is(err, ErrUnconfirmed):
		g.suspended("too few replicas confirmed")
	case s == Suspended:
		g.suspended(fault.Cause(err))
	case s == Lost && !errors.Is(err, ErrLost):
		g.lost(foreignKey)
	case s == Lost && l.holdEnd.IsZero():
		g.lost("held for MaxHold")
	case s == Lost:
		g.lost("not renewed in time")
	}
}

const foreignKey = "the key is free or another's"

func (g leaseLog) lost(cause string) { g.Write(logLost, cause) }

func (g leaseLog) suspended(cause string) { g.Write(logSuspended, cause) }

var (
	logLost      = ratelog.Warn("lock.lost", "lock: a lease is lost, and its context has ended")
	logSuspended = ratelog.Warn("lock.suspended", "lock: leases can't be renewed, and are lost when they run out")
	logSetting   = ratelog.Warn("lock.setting", "lock: a setting weakens the promise")
)
