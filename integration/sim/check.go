package sim

import (
	"errors"
	"fmt"
	"slices"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A promise is what every history must keep: a sentence for the reader of a failure, and what finds
// the places where it was broken.
type promise struct {
	says   string
	broken func(*History) []string
}

var promises = []promise{
	{"one runner: while a request holds a key, no other request runs under it", twoRunners},
	{"the first committed answer wins, and everyone gets it until it expires", twoAnswers},
	{"no success that cannot be replayed, unless the operator chose otherwise", unreplayable},
	{"never another request's answer, also not by waiting for it", anothersAnswer},
	{"a lost lease is known: the context ends, and the late finisher answers with the winner's record", lossUnknown},
	{"a crash is known: the next runner is told its attempt, and the policy decides", crashForgotten},
	{"fences grow from grant to grant", fenceFellBack},
	{"no conflict when nobody holds the key", falseConflict},
	{"in acked mode, nothing counts that the replica has not confirmed", unconfirmed},
	{"the key is a register of four states", notLinearizable},
	{"an operator acts on nothing but what was inspected, and is told what has come of it", misled},
}

// lasting are the promises that hold even if Redis goes back to what it was some time ago.
var lasting = []promise{
	{"a client who hangs up ends the work if the policy says so, and only then", hangupMisread},
	{"every request is answered, by its work, by a record or by an error that it may get", unanswered},
	{"nothing is held after its lease: when all is well again, every key answers", stillHeld},
}

// Check returns every breach of a promise, beginning with the promise.
func Check(h *History) []string {
	var all []string
	kept := slices.Concat(effectPromises, promises, lasting)
	if h.FailedOver {
		kept = slices.Concat(effectPromises, lasting)
	}
	for _, p := range kept {
		for _, breach := range p.broken(h) {
			all = append(all, p.says+":\n    "+breach)
		}
	}
	return all
}

func twoRunners(h *History) (breaches []string) {
	for a, b := range h.pairs(guarded) {
		if b.Run.Began >= a.entitledUntil() {
			continue
		}
		if !h.restarted(a.Run.Began, b.Run.Began) {
			breaches = append(breaches, fmt.Sprintf("%v runs from %s to %s, and %v begins at %s",
				a, stamp(a.Run.Began), stamp(a.entitledUntil()), b, stamp(b.Run.Began)))
			continue
		}
		// A Redis that forgot a holder lets another in; the first renewal that finds the other tells.
		for _, renewal := range a.arrivals("renew") {
			if renewal.At > b.Run.Began && h.heard(a, renewal, a.entitledUntil()) && !h.restarted(b.Run.Began, renewal.At) && b.holds(h, renewal.At) {
				breaches = append(breaches, fmt.Sprintf("%v runs on to %s, though its renewal has found at %s that the key is %v's",
					a, stamp(a.entitledUntil()), stamp(renewal.At), b))
			}
		}
	}
	return breaches
}

func twoAnswers(h *History) (breaches []string) {
	for a, b := range h.pairs(func(c *Call) bool { return c.Reply != nil && c.Reply.Value != "" && c.Reply.Stored }) {
		writer, other := h.writer(a), h.writer(b)
		if writer == other {
			if a.Reply.Value != b.Reply.Value {
				breaches = append(breaches, fmt.Sprintf("%v got %q and %v got %q", a, short(a.Reply.Value), b, short(b.Reply.Value)))
			}
			continue
		}
		if writer == nil || other == nil {
			breaches = append(breaches, fmt.Sprintf("%v or %v got an answer that nobody gave: %q, %q", a, b, a.Reply.Value, b.Reply.Value))
			continue
		}
		if other.committed() < writer.committed() {
			writer, other = other, writer
		}
		if h.recordLives(writer, other.committed()) {
			breaches = append(breaches, fmt.Sprintf("%v's answer is told, and so is %v's", writer, other))
		}
	}
	return breaches
}

func unreplayable(h *History) (breaches []string) {
	for _, a := range h.Calls {
		if a.Reply == nil || a.Reply.Kind != fresh {
			continue
		}
		switch {
		case a.Reply.Stored:
			for _, b := range h.Calls {
				if b.Key != a.Key || b.Body != a.Body || b.Reply == nil || b.Asked < a.Reply.At || !h.recordLives(a, b.Reply.At) {
					continue
				}
				if k := b.Reply.Kind; k != unavailable && k != gone && !(k == replayed && h.writer(b) == a) && guarded(b) == (b.Run != nil) {
					breaches = append(breaches, fmt.Sprintf("%v got its answer stored at %s, and %v is told: %v", a, stamp(a.Reply.At), b, b.Reply))
				}
			}
		case !a.Run.Guarded:
			if h.Schedule.Engine.OnStoreDown != replay.RunUnguarded {
				breaches = append(breaches, fmt.Sprintf("%v runs without a claim, against the policy", a))
			}
		case a.Run.Worked && a.End != answers:
		case h.Schedule.Engine.OnCommitDown == replay.WithholdUnstored:
			breaches = append(breaches, fmt.Sprintf("%v gets an answer that is not stored, against the policy", a))
		default:
			for _, commit := range a.arrivals("commit") {
				if h.heard(a, commit, a.Reply.At) {
					breaches = append(breaches, fmt.Sprintf("%v gets an answer that is not stored, though its commit was heard at %s", a, stamp(commit.At)))
				}
			}
		}
	}
	return breaches
}

func anothersAnswer(h *History) (breaches []string) {
	for _, c := range h.Calls {
		if c.Reply == nil {
			continue
		}
		asked := map[string]bool{}
		for _, other := range h.Calls {
			if other.Key == c.Key && other.Asked < c.Reply.At {
				asked[other.Body] = true
			}
		}
		switch c.Reply.Kind {
		case replayed:
			if w := h.writer(c); w == nil || w.Key != c.Key || w.Body != c.Body {
				breaches = append(breaches, fmt.Sprintf("%v got %q", c, short(c.Reply.Value)))
			}
		case mismatch:
			if len(asked) == 1 {
				breaches = append(breaches, fmt.Sprintf("%v is told of a mismatch with nobody", c))
			}
		case inFlight:
			if !h.anyOtherOf(c, func(o *Call) bool { return o.Body == c.Body }) {
				breaches = append(breaches, fmt.Sprintf("%v is told to wait for another request", c))
			}
		}
	}
	return breaches
}

func lossUnknown(h *History) (breaches []string) {
	for a, b := range h.pairs(guarded) {
		if h.restarted(a.Run.Began, b.Run.Began) || a.Reply == nil || b.Run.Began > a.Run.Ended || b.Run.Attempt <= a.Run.Attempt {
			continue
		}
		if !h.recordLives(b, a.committed()) || h.forgotten(b, a.committed()) {
			continue // the key was free again, and the first to commit wins
		}
		if a.Reply.Stored && h.writer(a) == a {
			breaches = append(breaches, fmt.Sprintf("%v stores its answer, though %v took over from it", a, b))
		}
	}
	for _, c := range h.Calls {
		if guarded(c) && c.entitledUntil() != never {
			if _, lapsed := h.lapses(c, c.token()); c.entitledUntil() > lapsed+leeway {
				breaches = append(breaches, fmt.Sprintf("%v's lease ran out at %s, and its work goes on to %s", c, stamp(lapsed), stamp(c.entitledUntil())))
			}
		}
		if c.Reply != nil && c.Reply.Outcome == replay.LostLease && c.Reply.Kind == replayed && h.writer(c) == c {
			breaches = append(breaches, fmt.Sprintf("%v takes its own answer for another's", c))
		}
		if r := c.Run; r != nil && r.Guarded && r.Left != never && !errors.Is(r.Cause, lock.ErrLost) && !errors.Is(r.Cause, lock.ErrMaxHold) && r.Cause != errHungUp {
			breaches = append(breaches, fmt.Sprintf("%v's context ends with cause %v", c, r.Cause))
		}
	}
	return breaches
}

func crashForgotten(h *History) (breaches []string) {
	for a, b := range h.pairs(guarded) {
		if h.restarted(a.Run.Began, b.Run.Began) || h.forgotten(a, b.Run.Began) || h.expired(a, b) {
			continue
		}
		if a.endedUnknown() && b.Run.Attempt <= a.Run.Attempt {
			breaches = append(breaches, fmt.Sprintf("nobody knows what %v did as attempt %d, and %v runs as attempt %d", a, a.Run.Attempt, b, b.Run.Attempt))
		}
	}
	for _, c := range h.Calls {
		if guarded(c) && c.Run.Attempt > 1 && h.Schedule.Engine.OnAbandoned == replay.RefuseUnknown {
			breaches = append(breaches, fmt.Sprintf("%v runs as attempt %d, against the policy", c, c.Run.Attempt))
		}
		if guarded(c) && c.Run.Attempt > 1 && h.Schedule.Engine.OnAbandoned == replay.AskReconcile && c.Run.Reconciled == "" {
			breaches = append(breaches, fmt.Sprintf("%v runs as attempt %d without a word from Reconcile", c, c.Run.Attempt))
		}
	}
	return breaches
}

func fenceFellBack(h *History) (breaches []string) {
	for a, b := range h.pairs(guarded) {
		if b.Run.Attempt > a.Run.Attempt && !h.restarted(a.Run.Began, b.Run.Began) && !h.freed(a, b) && b.Run.Fence <= a.Run.Fence {
			breaches = append(breaches, fmt.Sprintf("%v has fence %d, and %v after it %d", a, a.Run.Fence, b, b.Run.Fence))
		}
	}
	return breaches
}

func falseConflict(h *History) (breaches []string) {
	for _, c := range h.Calls {
		if c.Reply != nil && c.Reply.Kind == inFlight && !h.anyOtherOf(c, func(*Call) bool { return true }) {
			breaches = append(breaches, fmt.Sprintf("%v is told so between %s and %s", c, stamp(c.Asked), stamp(c.Reply.At)))
		}
	}
	return breaches
}

func hangupMisread(h *History) (breaches []string) {
	stop := h.Schedule.Engine.OnHangup == replay.StopWithCaller
	for _, c := range h.Calls {
		r := c.Run
		switch {
		case r == nil || r.Ended == never:
		case r.Cause == errHungUp && !stop:
			breaches = append(breaches, fmt.Sprintf("%v's context ends with its client, against the policy", c))
		case stop && c.HungUp < r.Ended && r.Left > max(c.HungUp, r.Began):
			breaches = append(breaches, fmt.Sprintf("%v's context goes on without its client, against the policy", c))
		}
	}
	return breaches
}

func unanswered(h *History) (breaches []string) {
	for _, c := range h.Calls {
		switch {
		case c.Died != never:
		case c.Reply == nil:
			breaches = append(breaches, fmt.Sprintf("%v waits for ever", c))
		case c.Reply.Kind == strange:
			breaches = append(breaches, fmt.Sprintf("%v is told: %v", c, c.Reply.Err))
		case c.Reply.Kind == gone && c.HungUp == never:
			breaches = append(breaches, fmt.Sprintf("%v is taken for gone", c))
		}
	}
	return breaches
}

func stillHeld(h *History) (breaches []string) {
	for _, c := range h.Calls {
		if !c.Probe || c.Reply == nil {
			continue
		}
		switch c.Reply.Kind {
		case inFlight, unavailable, lost, gone, failed:
			breaches = append(breaches, fmt.Sprintf("%v is told: %v", c, c.Reply))
		}
		if r := c.Reply; r.Kind == fresh && !r.Stored {
			breaches = append(breaches, fmt.Sprintf("%v is answered, and not stored", c))
		}
	}
	return breaches
}

func unconfirmed(h *History) (breaches []string) {
	// alone: the primary was, for as long as any of these was waited for.
	alone := func(all []Arrival) bool {
		return len(all) > 0 && !slices.ContainsFunc(all, func(a Arrival) bool {
			return !slices.ContainsFunc(h.Alone, func(t Trouble) bool {
				return t.From < a.At && a.At+h.Schedule.Engine.Lock.AckWithin < t.To
			})
		})
	}
	if h.Schedule.Engine.Lock.Acks == 0 {
		return nil
	}
	for _, c := range h.Calls {
		if guarded(c) && alone(c.granting()) {
			breaches = append(breaches, fmt.Sprintf("%v runs under a claim that only the primary has", c))
		}
		if r := c.Reply; r != nil && r.Kind == fresh && r.Outcome == replay.Stored && alone(c.arrivals("commit")) {
			breaches = append(breaches, fmt.Sprintf("%v is answered as if its record were safe, and only the primary has it", c))
		}
	}
	return breaches
}
