package sim

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// What the promises ask of a history.

func guarded(c *Call) bool { return c.Run != nil && c.Run.Guarded }

// pairs are the calls of one key that fit, unless an operator has acted on it, each with each that ran, or else asked, after it.
func (h *History) pairs(fits func(*Call) bool) iter.Seq2[*Call, *Call] {
	return func(yield func(a, b *Call) bool) {
		for _, a := range h.Calls {
			for _, b := range h.Calls {
				if a != b && a.Key == b.Key && !h.actedOn(a.Key, 0, never) && fits(a) && fits(b) && a.since() < b.since() && !yield(a, b) {
					return
				}
			}
		}
	}
}

func (c *Call) since() time.Duration {
	if c.Run != nil {
		return c.Run.Began
	}
	return c.Asked
}

// entitledUntil is when the work of a call had no right any more to the key, and knew it, or was dead.
func (c *Call) entitledUntil() time.Duration { return min(c.Run.Left, c.Run.Ended, c.Died) }

func (c *Call) arrivals(name string) []Arrival {
	return slices.DeleteFunc(slices.Clone(c.Arrivals), func(a Arrival) bool { return a.Name != name })
}

// committed is when a call's commit first reached Redis.
func (c *Call) committed() time.Duration {
	if a := c.arrivals("commit"); len(a) > 0 {
		return a[0].At
	}
	return never
}

// endedUnknown: the work may have done anything, and nothing was stored nor given back.
func (c *Call) endedUnknown() bool {
	return c.committed() == never && len(c.arrivals("release")) == 0 && (c.Died != never || c.End == abandons || c.Run.Left != never)
}

// restarted: Redis was, empty, in between.
func (h *History) restarted(from, to time.Duration) bool {
	return slices.ContainsFunc(h.Restarts, func(r time.Duration) bool { return from <= r && r <= to })
}

// writer is the call whose work gave the answer that c got.
func (h *History) writer(c *Call) *Call {
	for _, w := range h.Calls {
		if strings.HasPrefix(c.Reply.Value, "by "+w.String()) {
			return w
		}
	}
	return nil
}

// recordLives: what c committed must be there at a time, if it ever was.
func (h *History) recordLives(c *Call, at time.Duration) bool {
	keep := c.Retention
	if keep == 0 || !c.Run.Worked {
		keep = h.Schedule.Engine.Retention
	}
	begun := c.committed()
	return at < after(begun, keep-leeway) && !h.actedOn(c.Key, c.Run.Began, at) && !h.restarted(c.Run.Began, at)
}

// leeway is what Redis's clock of milliseconds makes of a time.
const leeway = 2 * time.Millisecond

// token is the owner token that a call's work runs under.
func (c *Call) token() (token string) {
	for _, a := range c.arrivals("begin") {
		if a.At <= c.Run.Began {
			token = a.Token
		}
	}
	return token
}

// granting are the begins of the claim that c ran under.
func (c *Call) granting() []Arrival {
	token := c.token()
	return slices.DeleteFunc(c.arrivals("begin"), func(a Arrival) bool { return a.Token != token || a.At > c.Run.Began })
}

// lapses is when the lease of a token ends by itself: a lease after its begin, or after the last
// renewal that came in time. A begin that was sent again may have been granted either time.
func (h *History) lapses(c *Call, token string) (earliest, latest time.Duration) {
	first := true
	for _, a := range c.Arrivals {
		if a.Token != token || a.Name != "begin" && a.Name != "renew" {
			continue
		}
		switch {
		case first:
			earliest, latest = a.At+a.Lease, a.At+a.Lease
			first = false
		case a.Name == "begin":
			latest = a.At + a.Lease
		default:
			if a.At < earliest {
				earliest = a.At + a.Lease
			}
			if a.At < latest {
				latest = a.At + a.Lease
			}
		}
	}
	return earliest, latest
}

// holds: some token of c may hold the key at a time.
func (c *Call) holds(h *History, at time.Duration) bool { return c.heldIn(h, at, at) }

// heldIn: some token of c may have held the key at some instant of a span.
func (c *Call) heldIn(h *History, from, to time.Duration) bool {
	seen := map[string]bool{}
	for _, a := range c.Arrivals {
		if a.Name != "begin" || seen[a.Token] {
			continue
		}
		seen[a.Token] = true
		begun, last := a.At, a.At
		_, until := h.lapses(c, a.Token)
		for _, b := range c.Arrivals {
			if b.Token != a.Token {
				continue
			}
			if b.Name == "begin" {
				last = b.At // it may have come after an end, and hold again
			}
		}
		for _, b := range c.Arrivals {
			if b.Token == a.Token && b.At >= last && b.Name != "begin" && b.Name != "renew" {
				until = min(until, b.At)
			}
		}
		if begun <= to && until+leeway >= from {
			return true
		}
	}
	return false
}

// anyOtherOf: a call other than c that fits may have held its key while it asked.
func (h *History) anyOtherOf(c *Call, fits func(*Call) bool) bool {
	return slices.ContainsFunc(h.Calls, func(o *Call) bool {
		return o != c && o.Key == c.Key && fits(o) && o.heldIn(h, c.Asked, c.Reply.At)
	})
}

// forgotten: c's claim may have gone by a time.
func (h *History) forgotten(c *Call, at time.Duration) bool {
	remember := h.Schedule.Engine.Lock.Remember
	for _, a := range c.Arrivals {
		if a.Name == "abandon" || a.Name == "release" {
			if a.At+remember-leeway <= at {
				return true
			}
		}
		if a.Name == "begin" {
			if earliest, _ := h.lapses(c, a.Token); earliest+remember-leeway <= at {
				return true
			}
		}
	}
	return false
}

// freed: the key may have been free at some instant between two runs, by a release or by being forgotten.
func (h *History) freed(a, b *Call) bool {
	return h.forgotten(a, b.Run.Began) || slices.ContainsFunc(h.Calls, func(c *Call) bool {
		if c.Key != a.Key {
			return false
		}
		for _, x := range c.Arrivals {
			if (x.Name == "release" || x.Name == "commit") && x.At > a.Run.Began && x.At < b.Run.Began {
				return true
			}
		}
		return false
	})
}

// expired: a record of the key may have, between two runs.
func (h *History) expired(a, b *Call) bool {
	return slices.ContainsFunc(h.Calls, func(c *Call) bool {
		at := c.committed()
		return c.Key == a.Key && at > a.Run.Began && at < b.Run.Began && !h.recordLives(c, b.Run.Began)
	})
}

// heard: the reply to what arrived has come to c's process before a time.
func (h *History) heard(c *Call, a Arrival, before time.Duration) bool {
	return a.Heard < before && !slices.ContainsFunc(h.Troubles, func(t Trouble) bool {
		return (t.Process == c.Process || t.Process == "") && t.From <= a.Heard && a.At <= t.To
	})
}

// after is d later, and never stays never.
func after(at, d time.Duration) time.Duration {
	if at == never {
		return never
	}
	return at + d
}
