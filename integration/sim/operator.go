package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// Some days an operator looks at keys, thinks, and acts on what was seen, whatever has come of it
// meanwhile. Who acts on a live claim, or forgets a record, waives the promises that rest on it: for a
// key that was acted on, the register alone says what may follow.

// A Visit is an operator's look at a key, and what is done about it.
type Visit struct {
	At, Thinks time.Duration
	Key        string
	Gentle     bool // abandons a live claim, in place of releasing it

	seen, saw     replay.Entry // saw: in place of what was seen
	looked, told  time.Duration
	acted, ended  time.Duration
	act           string // what was asked for, and came to an answer; or nothing
	found, denied bool   // it was looked at; something else stood there then
}

// An Act is an operator's command that has reached Redis.
type Act struct {
	At        time.Duration
	Key, Head string // Head: what has to stand there
	Frees     bool   // or else it abandons
}

func (s *Schedule) addVisits(d dice, day time.Duration, keys int) {
	for range 1 + d.IntN(4) {
		s.Visits = append(s.Visits, &Visit{At: d.upTo(day), Thinks: pick(d, d.upTo(time.Second), d.upTo(s.Engine.Lock.TTL)),
			Key: string(rune('a' + d.IntN(keys))), Gentle: d.chance(0.5)})
	}
}

// hire gives the day its operator, a process of its own.
func (w *world) hire(t *testing.T) {
	if len(w.Visits) == 0 {
		return
	}
	w.operator = w.start(t)
	w.operator.name = "operator"
	w.redisKeys = map[string]string{}
	for _, a := range w.Asks {
		w.redisKeys[w.Engine.Prefix+":"+w.operator.engine.Digest("sim", a.Key)] = a.Key
	}
}

func (w *world) visit(v *Visit) {
	h, engine, ctx := w.history, w.operator.engine, context.Background()
	v.looked = h.now()
	e, err := engine.Inspect(ctx, "sim", v.Key)
	if v.told = h.now(); err != nil {
		h.note("operator can't see %s: %v", v.Key, err)
		return
	}
	v.seen, v.found = e, true
	h.note("operator sees that %s is %s, attempt %d", v.Key, e.State, e.Attempt)
	time.Sleep(v.Thinks)
	do, act := engine.Release, "release"
	switch {
	case e.State == replay.KeyFree:
		return
	case e.State == replay.KeyDone:
		do, act = engine.Forget, "forget"
	case e.State == replay.KeyClaimed && v.Gentle:
		do, act = engine.Abandon, "abandon"
	}
	v.acted = h.now()
	err = do(ctx, e)
	v.ended = h.now()
	h.note("operator is told of the %s of %s: %v", act, v.Key, err)
	changed, hasChanged := errors.AsType[*replay.ChangedError](err)
	if hasChanged {
		v.saw, v.denied = changed.Now, true
	}
	if err == nil || hasChanged {
		v.act = act
	} else if !errors.Is(err, replay.ErrUnavailable) {
		h.Misled = append(h.Misled, fmt.Sprintf("the operator is told of the %s of %s: %v", act, v.Key, err))
	}
}

// arrives books an operator's command.
func (w *world) arrives(cmd bubble.Command, at time.Duration, told string) {
	h := w.history
	key := w.redisKeys[cmd.Key]
	h.mu.Lock()
	h.Acts = append(h.Acts, Act{At: at, Key: key, Head: cmd.Args[0], Frees: cmd.Args[3] == "-"})
	h.mu.Unlock()
	h.note("operator: act on %s reaches Redis%s", key, told)
}

// actedOn: an operator's command has reached a key in between.
func (h *History) actedOn(key string, from, to time.Duration) bool {
	for _, a := range h.Acts {
		if a.Key == key && from <= a.At && a.At <= to {
			return true
		}
	}
	return false
}

// stands: the register holds what an operator has seen by its first bytes.
func (s state) stands(head string) bool {
	if f := strings.Fields(head); len(f) == 6 && f[0] == "L1" {
		nobody := strings.Trim(f[5], "0") == ""
		return (s.is == claimed || s.is == abandoned) && fmt.Sprint(s.attempt) == f[1] && (s.token == f[5] || s.token == "" && nobody)
	}
	label, err := cache.Peek(head)
	return err == nil && s.is == done && s.token == label.Owner
}

// shows: the register is as an entry says.
func (s state) shows(e replay.Entry) bool {
	if string(s.is) != strings.ToUpper(string(e.State)) {
		return false
	}
	switch nobody := strings.Trim(e.Owner, "0") == ""; s.is {
	case free:
		return true
	case done:
		return s.token == e.Owner
	default:
		return s.attempt == e.Attempt && (s.token == e.Owner || s.token == "" && nobody)
	}
}

// operate books what an operator did to a key, and was told of it.
func (h *History) operate(
	key string,
	at func(time.Duration, string, func(state) (state, bool)),
	tick func(time.Duration, string, func(state) state),
	told func(from, to time.Duration, says string, is func(state) bool),
) {
	remember := h.Schedule.Engine.Lock.Remember
	for _, a := range h.Acts {
		if a.Key != key {
			continue
		}
		at(a.At, "an operator's act arrives at "+stamp(a.At), func(s state) (state, bool) {
			switch {
			case !s.stands(a.Head), s.token == "" && h.refused(a):
			case a.Frees:
				s = state{is: free}
			case s.is == claimed:
				s.is, s.gone = abandoned, a.At+remember
			}
			return s, true
		})
		tick(a.At+remember, "what an operator abandoned is forgotten", func(s state) state {
			if s.gone == a.At+remember {
				s = state{is: free}
			}
			return s
		})
	}
	for _, v := range h.Schedule.Visits {
		if v.Key != key || !v.found {
			continue
		}
		told(v.looked, v.told, fmt.Sprintf("the operator sees it %s", v.seen.State), func(s state) bool { return s.shows(v.seen) })
		switch {
		case v.act == "":
		case v.denied:
			told(v.acted, v.ended, fmt.Sprintf("the operator is told that it is %s now", v.saw.State), func(s state) bool { return s.shows(v.saw) })
		case v.act == "abandon":
			told(v.acted, v.ended, "the operator is told that it is abandoned", func(s state) bool { return s.is == abandoned && s.token == v.seen.Owner })
		default:
			told(v.acted, v.ended, "the operator is told that it is free", func(s state) bool { return s.is == free })
		}
	}
}

// refused: an operator's command that was sent once is answered that something else stands there. The
// register can't tell two claims of nobody's of one attempt, which differ in their fences.
func (h *History) refused(a Act) bool {
	for _, v := range h.Schedule.Visits {
		during := func(a Act) bool { return a.Key == v.Key && v.acted <= a.At && a.At <= v.ended }
		if v.denied && during(a) {
			others := slices.DeleteFunc(slices.Clone(h.Acts), func(a Act) bool { return !during(a) })
			return len(others) == 1
		}
	}
	return false
}

// misled: an operator was told what can't be.
func misled(h *History) []string { return h.Misled }
