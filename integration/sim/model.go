package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/reprise-go/reprise/replay"
)

// The key as docs/architecture.md has it: a register of four states. A script that reaches Redis changes it, at that
// instant, as the page's table of transitions says. Time changes it, when a lease runs out and when a claim or a record
// is forgotten. What a client is told must be true of it at some instant between the question and the answer.

type state struct {
	is      condition
	owner   *Call
	before  *Call // the owner that it took over from
	token   string
	attempt int
	fence   int64         // of the last grant that anybody saw
	lease   time.Duration // when it runs out
	gone    time.Duration // when Redis forgets the key
}

type condition string

const (
	free      condition = "FREE"
	claimed   condition = "CLAIMED"
	abandoned condition = "ABANDONED"
	done      condition = "DONE"
)

// A step is an input of the register.
type step struct {
	says string
	take func(state) (state, bool) // false: it can't have been so
	at   time.Duration
	till time.Duration
}

func notLinearizable(h *History) (breaches []string) {
	model := porcupine.Model{
		Init:  func() any { return state{is: free} },
		Step:  func(s, in, _ any) (bool, any) { next, ok := in.(step).take(s.(state)); return ok, next },
		Equal: func(a, b any) bool { return a.(state) == b.(state) },
	}
	for _, key := range h.keys() {
		var ops []porcupine.Operation
		for i, s := range h.steps(key) {
			ops = append(ops, porcupine.Operation{ClientId: i, Input: s, Call: int64(s.at), Return: int64(s.till)})
		}
		result, info := porcupine.CheckOperationsVerbose(model, ops, 0)
		if result == porcupine.Ok {
			continue
		}
		// The longest way that it can have gone, and what fits nowhere after it.
		var longest []porcupine.Operation
		for _, way := range info.PartialLinearizationsOperations()[0] {
			if len(way) > len(longest) {
				longest = way
			}
		}
		breach, s := fmt.Sprintf("of key %s, no order fits. The longest begins:", key), state{is: free}
		for _, op := range longest {
			before := s
			s, _ = op.Input.(step).take(s)
			if s != before {
				breach += fmt.Sprintf("\n        %s, and it is %v", op.Input.(step).says, s)
			}
		}
		breach += "\n      and doesn't go on with"
		for _, op := range ops {
			if !slices.ContainsFunc(longest, func(o porcupine.Operation) bool { return o.ClientId == op.ClientId }) {
				breach += fmt.Sprintf("\n        %s (%s to %s)", op.Input.(step).says, stamp(time.Duration(op.Call)), stamp(time.Duration(op.Return)))
				if _, ok := op.Input.(step).take(s); ok {
					continue
				}
				break
			}
		}
		breaches = append(breaches, breach)
	}
	return breaches
}

func (s state) String() string {
	if s.is == free {
		return string(s.is)
	}
	return fmt.Sprintf("%s by %v, attempt %d", s.is, s.owner, s.attempt)
}

func (h *History) keys() (keys []string) {
	for _, c := range h.Calls {
		if !slices.Contains(keys, c.Key) {
			keys = append(keys, c.Key)
		}
	}
	return keys
}

// steps are all that happened to a key.
func (h *History) steps(key string) (all []step) {
	cfg := h.Schedule.Engine
	end := time.Duration(0)
	for _, c := range h.Calls {
		if c.Reply != nil {
			end = max(end, c.Reply.At)
		}
	}
	at := func(t time.Duration, says string, take func(state) (state, bool)) {
		all = append(all, step{says, take, t, t})
	}
	// tick is a time that something may run out at, give or take a millisecond.
	tick := func(t time.Duration, says string, take func(state) state) {
		if t < end {
			all = append(all, step{says, func(s state) (state, bool) { return take(s), true }, t - leeway, t + leeway})
		}
	}
	told := func(from, to time.Duration, says string, is func(state) bool) {
		all = append(all, step{says, func(s state) (state, bool) { return s, is(s) }, from, to})
	}
	for _, r := range h.Restarts {
		at(r, "Redis restarts", func(state) (state, bool) { return state{is: free}, true })
	}
	for _, c := range h.Calls {
		if c.Key != key {
			continue
		}
		for _, a := range c.Arrivals {
			lapse, forget := a.At+a.Lease, a.At+cfg.Lock.Remember
			says := fmt.Sprintf("%v: %s at %s", c, a.Name, stamp(a.At))
			ours := func(s state) bool { return (s.is == claimed || s.is == abandoned) && s.token == a.Token }
			switch a.Name {
			case "begin":
				at(a.At, says, func(s state) (state, bool) { return s.begin(c, a, cfg) })
			case "renew":
				at(a.At, says, func(s state) (state, bool) {
					if ours(s) && s.is == claimed {
						s.lease, s.gone = lapse, lapse+cfg.Lock.Remember
					}
					return s, true
				})
			case "commit":
				forget = a.At + cfg.Retention
				if c.Retention != 0 && c.Run.Worked {
					forget = a.At + c.Retention
				}
				at(a.At, says, func(s state) (state, bool) {
					if ours(s) || s.is == free {
						s = state{is: done, owner: c, token: a.Token, attempt: s.attempt, fence: s.fence, gone: forget}
					}
					return s, true
				})
			case "release", "abandon":
				at(a.At, says, func(s state) (state, bool) {
					switch {
					case !ours(s):
					case a.Name == "release" && (!a.Unused || s.attempt == 1):
						s = state{is: free}
					case a.Unused && s.is == claimed: // asking was no attempt
						s.is, s.gone, s.attempt = abandoned, forget, s.attempt-1
						s.owner, s.token = s.before, ""
					case s.is == claimed:
						s.is, s.gone = abandoned, forget
					}
					return s, true
				})
			}
			if a.Name == "begin" || a.Name == "renew" {
				forget += a.Lease
				tick(lapse, "its lease runs out", func(s state) state {
					if s.is == claimed && s.lease == lapse {
						s.is = abandoned
					}
					return s
				})
			}
			tick(forget, "it is forgotten", func(s state) state {
				if s.gone == forget {
					s = state{is: free}
				}
				return s
			})
		}
		h.tell(c, told)
	}
	h.operate(key, at, tick, told)
	slices.SortStableFunc(all, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return all
}

// begin is the script of that name.
func (s state) begin(c *Call, a Arrival, cfg replay.Config) (state, bool) {
	granted := state{is: claimed, owner: c, token: a.Token, attempt: 1, lease: a.At + cfg.Lock.TTL, gone: a.At + cfg.Lock.TTL + cfg.Lock.Remember}
	// The call has told the fence of the grant that it ran under. If it was sent more than once, which
	// of them was granted can't be said.
	known := false
	if guarded(c) {
		g := c.granting()
		if known = len(g) == 1 && g[0] == a; known {
			granted.fence = c.Run.Fence
		}
	}
	switch {
	case s.is == free:
		return granted, true
	case s.is != abandoned, s.token == a.Token, s.owner.Body != c.Body, cfg.OnAbandoned == replay.RefuseUnknown:
		return s, true
	}
	granted.attempt, granted.before = s.attempt+1, s.owner
	if !known {
		granted.fence = s.fence
	}
	return granted, granted.fence > s.fence || !known
}

// tell books what c was told.
func (h *History) tell(c *Call, told func(from, to time.Duration, says string, is func(state) bool)) {
	another := func(s state) bool { return s.is != free && s.owner.Body != c.Body }
	since := c.Asked
	if r := c.Run; r != nil {
		if !r.Guarded {
			return
		}
		told(c.Asked, r.Began, fmt.Sprintf("%v is told attempt %d", c, r.Attempt), func(s state) bool {
			return s.is == claimed && s.owner == c && s.attempt == r.Attempt
		})
		since = r.Ended
	}
	r := c.Reply
	if r == nil || c.refusedByEffect() {
		return
	}
	theirs := func(s state) bool { return s.owner != c && s.is != free }
	var is func(state) bool
	switch {
	case r.Kind == fresh && r.Stored, r.Kind == replayed && h.writer(c) == c:
		is = func(s state) bool { return s.is == done && s.owner == c }
	case r.Kind == replayed:
		is = func(s state) bool { return s.is == done && s.owner == h.writer(c) && s.owner.Body == c.Body }
	case r.Kind == inFlight:
		is = func(s state) bool { return s.is == claimed && theirs(s) && !another(s) }
	case r.Kind == mismatch:
		is = another
	case r.Kind == unknown && c.Run == nil:
		is = func(s state) bool { return s.is == abandoned && theirs(s) && !another(s) }
	case r.Kind == notKept:
		is = func(s state) bool { return s.is == done && theirs(s) && !another(s) && s.owner.End == tombstones }
	case r.Kind == lost:
		is = func(s state) bool { return theirs(s) || s.is == abandoned && s.token == "" } // handed back, it is nobody's
	default:
		return // of an error that says nothing about the key
	}
	told(since, r.At, fmt.Sprintf("%v is told: %v", c, r), is)
}
