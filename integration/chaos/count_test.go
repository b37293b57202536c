package chaos

import (
	"fmt"
	"slices"
	"time"
)

// A count is what became of the promise in one scenario and mode.
//
// A run is an entry in the ledger that was not turned away. It is told of the runs before it under its
// key if its attempt number is greater than each of theirs, and its fence too: then the library has
// said that an earlier attempt died or lost its lease, and that what it did is unknown, and the policy
// (run again) did the rest. All other runs but a key's first are untold: the claim or the record of an
// earlier one had been forgotten. So is any run that began while another was live, which is from its
// beginning until its context was last seen not to have ended.
//
// An untold run is a duplicate effect, unless effects are in the database: there, each payment but a
// key's first is one, whoever was told of what, and no answer may differ, however it is marked.
type count struct {
	keys       int
	requests   int
	runs       int
	told       int // runs that were told of those before them
	untold     int // runs that were not, or that overlap
	duplicates int // duplicate effects
	turnedAway int // entries without effect: their fence was too low
	differ     int // different success answers to one key but one, those marked as unstored aside
	unexcused  int // duplicates and different answers under keys of which no answer was "unconfirmed"

	// Of effects in the database alone.
	payments int
	unbooked int // success answers that name a payment which isn't there
	unmarked int // success answers to one key that don't say that they are replays, but one

	false409   int // "in progress", while neither a run nor the lease of a lost request could be live
	errors     int // 503 and broken connections, which clients answer by asking again
	unexpected int // other answers than these: none is right
	unanswered int // keys that a client gave up
	longest    time.Duration

	notes []string // on what should not be, for the log
}

// A window is a time in which what is sent to Redis, or on the way back, may be late or lost.
type window struct{ from, to time.Time }

// count counts what a load has come to.
func (l *load) count(lease time.Duration, windows []window) (c count) {
	var booked booked
	if l.mode.Name == effects {
		booked = l.fleet.booked()
	}
	for _, h := range l.keys {
		c.add(h, l.fleet.ledger.of(l.mode.Name+"/"+h.key), booked, lease, windows)
	}
	return c
}

// add counts one key. What is booked is nil where an entry in the ledger is the effect.
func (c *count) add(h *history, runs []run, booked booked, lease time.Duration, windows []window) {
	c.keys++
	c.requests += len(h.exchanges)
	if h.gaveUp {
		c.unanswered++
		c.note(h, runs, "gave up")
	}
	untold := c.addRuns(runs)
	if booked == nil {
		c.addDuplicates(h, runs, untold)
		c.addAnswers(h, runs, func(x exchange) bool { return x.stored == "" })
	} else {
		c.addBooked(h, runs, booked[effects+"/"+h.key])
		c.addAnswers(h, runs, func(exchange) bool { return true })
	}
	c.add409s(h, runs, lease, windows)
	c.longest = max(c.longest, h.unusable())
}

// addRuns returns how many runs of these entries were untold.
func (c *count) addRuns(entries []run) (untold int) {
	var runs []run // with an effect
	for _, r := range entries {
		if r.stale {
			c.turnedAway++
		} else {
			runs = append(runs, r)
		}
	}
	c.runs += len(runs)
	for i, r := range runs {
		told, overlaps := true, false
		for _, earlier := range runs[:i] {
			told = told && r.Attempt > earlier.Attempt && r.Fence > earlier.Fence
			overlaps = overlaps || r.Start.Before(earlier.Live) && earlier.Start.Before(r.Live)
		}
		switch {
		case i == 0:
		case told && !overlaps:
			c.told++
		default:
			untold++
		}
	}
	c.untold += untold
	return untold
}

func (c *count) addDuplicates(h *history, runs []run, n int) {
	if n == 0 {
		return
	}
	c.duplicates += n
	if !h.unconfirmed() {
		c.unexcused += n
	}
	c.note(h, runs, "duplicate effect")
}

// addBooked holds the answers to a key against its payments.
func (c *count) addBooked(h *history, runs []run, payments []int) {
	c.payments += len(payments)
	c.addDuplicates(h, runs, max(0, len(payments)-1))
	first := 0
	for _, x := range h.exchanges {
		if !x.success() {
			continue
		}
		if !slices.Contains(payments, x.payment) {
			c.unbooked++
			c.note(h, runs, "answer without an effect")
		}
		if !x.replayed {
			first++
		}
	}
	if first > 1 {
		c.unmarked += first - 1
		c.note(h, runs, "answer that doesn't say that it is a replay")
	}
}

// addAnswers compares the answers that are final.
func (c *count) addAnswers(h *history, runs []run, final func(exchange) bool) {
	answers := map[string]bool{}
	for _, x := range h.exchanges {
		switch {
		case x.success() && final(x):
			answers[x.answer] = true
		case x.failed():
			c.errors++
		case !x.success() && !x.held():
			c.unexpected++
			c.note(h, runs, "unexpected answer")
		}
	}
	if len(answers) > 1 {
		c.differ += len(answers) - 1
		if !h.unconfirmed() {
			c.unexcused += len(answers) - 1
		}
		c.note(h, runs, "answers differ")
	}
}

func (h *history) unconfirmed() bool {
	for _, x := range h.exchanges {
		if x.stored == "unconfirmed" {
			return true
		}
	}
	return false
}

// add409s looks for conflicts without a reason. There is one if, at any moment of the exchange, a run
// was live, or its lease, or another request could hold the key: from when it was sent until it was
// answered, and if that was no answer, for one lease longer.
func (c *count) add409s(h *history, runs []run, lease time.Duration, windows []window) {
	for i, x := range h.exchanges {
		if !x.held() {
			continue
		}
		reason := false
		for _, r := range runs {
			reason = reason || r.Start.Before(x.got) && r.Live.Add(lease).After(x.sent)
		}
		for j, other := range h.exchanges {
			reason = reason || i != j && other.sent.Before(x.got) && other.holds(lease, windows).After(x.sent)
		}
		if !reason {
			c.false409++
			c.note(h, runs, "false 409")
		}
	}
}

// roundTrip is lock.Config.Timeout's default: the longest that a command is under way, unless Redis
// or the machine was stopped meanwhile.
const roundTrip = 2 * time.Second

// holds is until when a request can hold its key.
func (x exchange) holds(lease time.Duration, windows []window) time.Time {
	if x.held() || x.success() && x.stored == "" {
		return x.got
	}
	until := x.got
	for _, w := range windows {
		if x.sent.Before(w.to) && x.got.After(w.from) && until.Before(w.to) {
			until = w.to
		}
	}
	return until.Add(roundTrip + lease)
}

// unusable is the longest time from a request that failed to the next answer of any kind.
func (h *history) unusable() (longest time.Duration) {
	for _, failed := range h.exchanges {
		if !failed.failed() {
			continue
		}
		var next time.Time
		for _, x := range h.exchanges {
			if !x.failed() && x.got.After(failed.sent) && (next.IsZero() || x.got.Before(next)) {
				next = x.got
			}
		}
		if !next.IsZero() {
			longest = max(longest, next.Sub(failed.sent))
		}
	}
	return longest
}

// note keeps the first few stories of what went wrong.
func (c *count) note(h *history, runs []run, what string) {
	if len(c.notes) >= 5 {
		return
	}
	start := h.exchanges[0].sent
	at := func(t time.Time) string { return fmt.Sprintf("%+.3fs", t.Sub(start).Seconds()) }
	text := fmt.Sprintf("%s: %s, first asked at %s", what, h.key, start.Format("15:04:05.000"))
	for _, r := range runs {
		text += fmt.Sprintf("\n\trun on %s: attempt %d, fence %d, live %s to %s, ended %v, turned away %v",
			r.Machine, r.Attempt, r.Fence, at(r.Start), at(r.Live), r.ended, r.stale)
	}
	for _, x := range h.exchanges {
		text += fmt.Sprintf("\n\tasked m%d at %s, at %s got %d %s%s %s", x.machine, at(x.sent), at(x.got), x.status, x.code, x.stored, x.answer)
	}
	c.notes = append(c.notes, text)
}
