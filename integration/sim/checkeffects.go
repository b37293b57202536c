package sim

import (
	"errors"
	"fmt"
	"iter"
	"net"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/replay"
)

// What package effect promises, of days with a database.
var effectPromises = []promise{
	{"one effect per key and name, whatever Redis forgets", effectTwice},
	{"what is told of an effect is what was committed, of this very request", effectUntold},
	{"an effect that failed has not happened", effectOfFailure},
	{"an effect that is done is not tried again", effectTried},
	{"a commit whose answer was lost is asked for, as long as there is time", commitUnasked},
	{"an effect fails for its function, its context, a lost connection or another request's, and for nothing else", effectHindered},
	{"an answer that comes of an earlier attempt's effect says so, and no other does", repeatUnmarked},
	{"a request is refused for an effect if that is another request's, and only then", effectMismatched},
	{"no write under a smaller fence comes after one under a larger", fencedLate},
	{"a transaction ends with the work that began it", transactionLeft},
}

func effectTwice(h *History) (breaches []string) {
	for i, a := range h.Effects {
		for _, b := range h.Effects[i+1:] {
			if a.Key == b.Key && a.Name == b.Name && b.At < a.Row+h.Schedule.Effects.Table.Retention {
				breaches = append(breaches, fmt.Sprintf("%s of key %s is committed at %s by #%d, and again at %s by #%d",
					a.Name, a.Key, stamp(a.At), a.Call, stamp(b.At), b.Call))
			}
		}
	}
	return breaches
}

func effectUntold(h *History) (breaches []string) {
	for _, c := range h.Calls {
		for _, d := range c.Deeds {
			if d.Err == nil && h.told(d.Value, c, d.Ended) == nil {
				breaches = append(breaches, fmt.Sprintf("%v is told of its %s: %q", c, d.Name, d.Value))
			}
		}
		if c.Reply == nil || c.Reply.Value == "" || h.Schedule.Effects == nil {
			continue
		}
		for _, name := range h.Schedule.Effects.Names {
			value := regexp.MustCompile(name + ` by #\d+`).FindString(c.Reply.Value)
			if h.told(value, c, c.Reply.At) == nil {
				breaches = append(breaches, fmt.Sprintf("%v is answered %q, with no such %s", c, short(c.Reply.Value), name))
			}
		}
	}
	return breaches
}

func effectOfFailure(h *History) (breaches []string) {
	for _, c := range h.Calls {
		for _, d := range c.Deeds {
			if d.Err == nil || errors.Is(d.Err, effect.ErrCommitUnknown) {
				continue
			}
			for _, e := range h.Effects {
				if e.Call == c.ID && e.Name == d.Name {
					breaches = append(breaches, fmt.Sprintf("%v is told that its %s failed (%v), which was committed at %s", c, d.Name, d.Err, stamp(e.At)))
				}
			}
		}
	}
	return breaches
}

func commitUnasked(h *History) (breaches []string) {
	for c, d := range h.failed() {
		if errors.Is(d.Err, effect.ErrCommitUnknown) {
			breaches = append(breaches, fmt.Sprintf("%v is told of its %s: %v", c, d.Name, d.Err))
		}
	}
	return breaches
}

func effectTried(h *History) (breaches []string) {
	for _, c := range h.Calls {
		for _, d := range c.Deeds {
			for _, at := range d.Tried {
				for _, e := range h.Effects {
					if e.Key == c.Key && e.Name == d.Name && e.At < at && at < e.Row+h.Schedule.Effects.Table.Retention {
						breaches = append(breaches, fmt.Sprintf("%v tries its %s at %s, which #%d's has been since %s", c, d.Name, stamp(at), e.Call, stamp(e.At)))
					}
				}
			}
		}
	}
	return breaches
}

func effectHindered(h *History) (breaches []string) {
	for c, d := range h.failed() {
		_, cut := errors.AsType[*net.OpError](d.Err)
		if !cut && !errors.Is(d.Err, errWork) && !errors.Is(d.Err, replay.ErrReused) {
			breaches = append(breaches, fmt.Sprintf("%v is told of its %s: %v", c, d.Name, d.Err))
		}
	}
	return breaches
}

func repeatUnmarked(h *History) (breaches []string) {
	for _, c := range h.Calls {
		repeated := false
		for _, d := range c.Deeds {
			e := h.told(d.Value, c, d.Ended)
			if d.Err != nil || e == nil {
				continue
			}
			others := e.Call != c.ID
			repeated = repeated || others
			if d.Result.Repeated != others {
				breaches = append(breaches, fmt.Sprintf("%v is told of its %s, which is #%d's: repeated %v", c, d.Name, e.Call, d.Result.Repeated))
			}
			if by := h.call(e.Call).Run; by != nil && (d.Result.Attempt != by.Attempt || d.Result.Fence != by.Fence) {
				breaches = append(breaches, fmt.Sprintf("%v is told of its %s: by attempt %d under fence %d, and it was %d under %d",
					c, d.Name, d.Result.Attempt, d.Result.Fence, by.Attempt, by.Fence))
			}
		}
		if r := c.Reply; r != nil && r.Kind == fresh && c.Run.Worked && r.Repeated != repeated {
			breaches = append(breaches, fmt.Sprintf("%v is answered: repeated %v", c, r.Repeated))
		}
	}
	return breaches
}

func effectMismatched(h *History) (breaches []string) {
	for _, c := range h.Calls {
		for _, d := range c.Deeds {
			others := false
			for _, e := range h.Effects {
				others = others || e.Key == c.Key && e.Name == d.Name && e.Body != c.Body && e.At < d.Ended
			}
			if reused := errors.Is(d.Err, replay.ErrReused); reused && !others {
				breaches = append(breaches, fmt.Sprintf("%v is told of its %s: %v", c, d.Name, d.Err))
			} else if r := c.Reply; reused && r != nil && r.Kind != mismatch && r.Kind != lost && r.Kind != replayed && r.Kind != unknown {
				breaches = append(breaches, fmt.Sprintf("%v's %s is another request's, and it is answered: %v", c, d.Name, r))
			}
		}
	}
	return breaches
}

func fencedLate(h *History) (breaches []string) {
	for i, a := range h.Accounts {
		for _, b := range h.Accounts[i+1:] {
			if a.Key == b.Key && b.Fence < a.Fence {
				breaches = append(breaches, fmt.Sprintf("#%d writes at %s under fence %d, and #%d at %s under %d",
					a.Call, stamp(a.At), a.Fence, b.Call, stamp(b.At), b.Fence))
			}
		}
	}
	return breaches
}

func transactionLeft(h *History) (breaches []string) {
	if h.Unfinished > 0 {
		breaches = append(breaches, fmt.Sprintf("%d are open when all is over", h.Unfinished))
	}
	return breaches
}

// told finds the effect that a value tells of, if it is one of c's key and body, committed by then.
func (h *History) told(value string, c *Call, by time.Duration) *Effect {
	for i, e := range h.Effects {
		if value == e.Name+" by #"+strconv.Itoa(e.Call) && e.Key == c.Key && e.Body == c.Body && e.At <= by {
			return &h.Effects[i]
		}
	}
	return nil
}

// failed are the deeds that failed though there was time, and a database.
func (h *History) failed() iter.Seq2[*Call, *Deed] {
	return func(yield func(*Call, *Deed) bool) {
		for _, c := range h.Calls {
			for _, d := range c.Deeds {
				away := slices.ContainsFunc(h.Aways, func(t Trouble) bool { return t.From <= d.Ended && d.Began <= t.To })
				if d.Err != nil && !d.Left && !away && !yield(c, d) {
					return
				}
			}
		}
	}
}

func (h *History) call(id int) *Call {
	return h.Calls[slices.IndexFunc(h.Calls, func(c *Call) bool { return c.ID == id })]
}

// refusedByEffect: an effect in the database was another request's, of which Redis may know nothing.
func (c *Call) refusedByEffect() bool {
	return slices.ContainsFunc(c.Deeds, func(d *Deed) bool { return errors.Is(d.Err, replay.ErrReused) })
}
