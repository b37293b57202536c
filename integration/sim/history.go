package sim

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reprise-go/reprise/replay"
)

// never is later than all that happens. Times are counted from the begin of the day.
const never time.Duration = math.MaxInt64

// A History is what came of a schedule.
type History struct {
	Schedule *Schedule
	Calls    []*Call
	Restarts []time.Duration // of Redis, empty
	Troubles []Trouble       // of the network, beside those of a trip
	Alone    []Trouble       // the primary was: its replica confirmed nothing
	Probed   time.Duration   // when the day was over, and the questions of its end began

	Acts   []Act    // of an operator
	Misled []string // what an operator was told, and can't be

	FailedOver bool // Redis has gone back to what it was some time before

	Effects    []Effect  // as they were committed
	Accounts   []Account // likewise
	Aways      []Trouble // of the database
	Unfinished int       // transactions of the database that were open when all was over

	begun time.Time
	mu    sync.Mutex
	lines []line
}

// A line is what a reader of the history sees.
type line struct {
	at   time.Duration
	text string
}

// A Trouble is when a process was out of touch: stopped or cut off, or every one of them.
type Trouble struct {
	Process  string
	From, To time.Duration
}

// A Call is what became of an ask.
type Call struct {
	*Ask
	Probe    bool // asked when all was well again
	Process  string
	Asked    time.Duration
	Died     time.Duration // its process did, before it answered; or never
	HungUp   time.Duration // its client did, before it was answered; or never
	Run      *Run          // nil if nothing ran for it
	Reply    *Reply        // nil if it got none
	Arrivals []Arrival     // of its commands at Redis
	Deeds    []*Deed       // what it was told of its effects in the database, in their order
}

// A Run is work, or Reconcile in its place, from its begin to its end.
type Run struct {
	Guarded    bool
	Attempt    int
	Fence      int64
	Began      time.Duration
	Reconciled string        // what Reconcile said, if it was asked
	Worked     bool          // the work itself ran
	Left       time.Duration // its context ended, before the work did; or never
	Cause      error
	Ended      time.Duration // or never
}

// A Reply is what the client was told.
type Reply struct {
	At     time.Duration
	Kind   kind
	Value  string // of fresh and replayed
	Stored bool
	// Repeated: the answer says that it comes of an earlier attempt's effect.
	Repeated bool
	Outcome  replay.Outcome // as Trace has it
	Err      error
}

// A kind is the branch of a reply.
type kind string

const (
	fresh       kind = "fresh"
	replayed    kind = "replayed"
	inFlight    kind = "in flight"
	mismatch    kind = "mismatch"
	unknown     kind = "outcome unknown"
	notKept     kind = "not kept"
	lost        kind = "lost" // the lease, and another has not answered yet
	failed      kind = "failed"
	unavailable kind = "unavailable"
	gone        kind = "caller gone"
	strange     kind = "STRANGE" // no error that a client may see here
)

// An Arrival is a command of ours that has reached Redis.
type Arrival struct {
	At    time.Duration
	Heard time.Duration // its reply was; or never
	Name  string
	Token string
	Lease time.Duration // that a begin or a renewal asked for: near the longest hold, less than TTL
	// Unused says of a release that nobody has worked under the claim.
	Unused bool
}

// trouble books a trouble of a process, or of all, that ends now.
func (h *History) trouble(process string, from time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Troubles = append(h.Troubles, Trouble{process, from, h.now()})
}

// now is the time since the day began.
func (h *History) now() time.Duration { return time.Since(h.begun) }

// note writes a line for the reader. The caller doesn't hold mu.
func (h *History) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line{h.now(), fmt.Sprintf(format, args...)})
}

// String is the history as its reader gets it, line by line in the order of time.
func (h *History) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.SortStableFunc(h.lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.text, b.text))
	})
	var b strings.Builder
	c := h.Schedule.Engine
	fmt.Fprintf(&b, "seed %d: lease %v, renewed every %v, held %v at most, remembered %v; retention %v, wait %v, timeout %v\n",
		h.Schedule.Seed, c.Lock.TTL, c.Lock.Renew, c.Lock.MaxHold, c.Lock.Remember, c.Retention, c.Wait, c.Lock.Timeout)
	fmt.Fprintf(&b, "policies: %s, %d acks\n", describe(c), c.Lock.Acks)
	for _, l := range h.lines {
		fmt.Fprintf(&b, "%14s  %s\n", stamp(l.at), l.text)
	}
	return b.String()
}

// stamp writes a time in seconds to the nanosecond, so that columns align.
func stamp(d time.Duration) string {
	if d == never {
		return "never"
	}
	return fmt.Sprintf("%d.%09d", d/time.Second, d%time.Second)
}

func describe(c replay.Config) string {
	return fmt.Sprintf("after an abandoned attempt %s, on failure %s, on hang-up %s, without Redis %s, unstored %s",
		c.OnAbandoned, c.OnFailure, c.OnHangup, c.OnStoreDown, c.OnCommitDown)
}

func (c *Call) String() string { return fmt.Sprintf("#%d(%s %s)", c.ID, c.Key, c.Body) }

// told says in a word what the client got.
func (r *Reply) String() string {
	s := string(r.Kind)
	if r.Value != "" {
		s += " " + short(r.Value)
	}
	if r.Kind == fresh && !r.Stored {
		s += " (not stored)"
	}
	if r.Err != nil {
		s += fmt.Sprintf(" (%v)", r.Err)
	}
	return s
}

// short is a value without its padding.
func short(value string) string {
	value, _, _ = strings.Cut(value, "|")
	return value
}
