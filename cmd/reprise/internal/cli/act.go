package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/replay"
)

// A verb is an act of an operator.
type verb struct {
	name, short, long string
	will              map[replay.KeyState]string // what it will do to what stands there
	done              string
	act               func(*replay.Engine, context.Context, replay.Entry) error
}

var verbs = []*verb{
	{
		name:  "release",
		short: "Free the key of a claim: the next request is the first",
		long: "For work of which you know that it did nothing, or that may be done again. The next request runs " +
			"as attempt 1, and is told nothing of this one.",
		will: map[replay.KeyState]string{
			replay.KeyClaimed: "take the lease away from a request that is in progress, and free the key. Its context ends at " +
				"its next renewal; until then the next request can run beside it.",
			replay.KeyAbandoned: "free the key. The next request runs as attempt 1, whatever the attempts before it did.",
		},
		done: "released",
		act:  (*replay.Engine).Release,
	},
	{
		name:  "abandon",
		short: "End the lease of a claim: the next request is told of it",
		long: "For work that hangs. The next request is told that it is the next attempt, or is refused or " +
			"reconciled, as REPLAY_ON_ABANDONED says.",
		will: map[replay.KeyState]string{
			replay.KeyClaimed: "take the lease away from a request that is in progress, as if its machine had died. Its context " +
				"ends at its next renewal; until then the next attempt can run beside it.",
		},
		done: "abandoned",
		act:  (*replay.Engine).Abandon,
	},
	{
		name:  "forget",
		short: "Free the key of a record: the next request runs again",
		long: "For an answer that must not be given any more, or a foreign value that makes requests fail. Whoever " +
			"retries runs again, whatever was done before; effects of package effect are not done again.",
		will: map[replay.KeyState]string{
			replay.KeyDone: "delete the stored answer. The next retry of that request runs again, whatever the first one did. " +
				"Effects of package effect are not done again.",
			replay.KeyForeign: "delete a value that reprise did not write, or can't read. The next request runs.",
		},
		done: "forgotten",
		act:  (*replay.Engine).Forget,
	},
}

func (p *program) actCommand(v *verb) *cobra.Command {
	by, a := &selector{}, &audit{verb: v}
	yes, mark := false, ""
	c := p.command(10*time.Minute, &cobra.Command{
		Use:     v.name + " (--scope S --key K | --digest D)",
		Short:   v.short,
		GroupID: fleet,
		Example: "  reprise " + v.name + " --scope acme --key order-1\n" +
			"  reprise " + v.name + " --digest \"$digest\" --mark \"$mark\" --yes --audit acts.log",
		Long: v.long + " It shows what stands there, asks, and then acts on nothing but what it has shown: if that has " +
			"changed meanwhile, it says what is there now, and exits with 4.",
	}, func(ctx context.Context, _ []string) error {
		if err := a.open(); err != nil {
			return misuse("--audit: %w", err)
		}
		defer a.close()
		s, err := p.connect(ctx)
		if err != nil {
			return err
		}
		defer s.close()
		e, node, err := p.look(ctx, s, by)
		if err != nil {
			return err
		}
		to := p.out
		if !yes {
			to = p.err // where the question stands
		}
		shows := !p.json || !yes && p.keyboard() != nil
		if shows {
			describe(to, e, node)
		}
		switch {
		case e.State == replay.KeyFree:
			return p.isFree(by)
		case mark != "" && mark != e.Mark():
			return &fault{changed, errors.New("changed: it is of another mark than --mark names"), "nothing was done"}
		case !slices.Contains(e.Fit(), v.name):
			return unfit(v.name, e)
		}
		if shows {
			to.Printf("\n")
			to.Paragraph("", fmt.Sprintf("%s will %s", strings.ToUpper(v.name[:1])+v.name[1:], v.will[e.State]))
		}
		if !yes {
			if err := p.confirm(ctx, "Go on? [y/N] "); err != nil {
				return err
			}
		}
		return p.act(ctx, s, a, e, node)
	})
	by.flags(c)
	flags := c.Flags()
	flags.BoolVar(&yes, "yes", false, "don't ask")
	flags.StringVar(&mark, "mark", "", "act only on what has this `mark`, as inspect and ls tell it")
	flags.StringVar(&a.path, "audit", "", "append the audit line to this `file`, too")
	flags.StringVar(&a.reason, "reason", "", "`why`, for the audit line")
	return c
}

// unfit is the fault of an act, or of reveal, that is none for what stands there.
func unfit(act string, e replay.Entry) error {
	fit := slices.DeleteFunc(e.Fit(), func(act string) bool { return act == "reveal" })
	cure := "nothing was done; nothing fits"
	if len(fit) > 0 {
		cure = "nothing was done; what fits: " + strings.Join(fit, ", ")
	}
	return &fault{changed, fmt.Errorf("can't %s it: it is %s", act, e.State), cure}
}

// An act is what was done, as JSON.
type act struct {
	Verb   string `json:"verb"`
	Result string `json:"result"`
	Before entry  `json:"before"`
	Now    *entry `json:"now,omitempty"` // if it was not done
}

// resultOf is what came of an act on what stood there.
func resultOf(v *verb, before replay.Entry, node string, err error) act {
	result := act{Verb: v.name, Result: v.done, Before: entryOf(before, node)}
	if other, isOther := errors.AsType[*replay.ChangedError](err); isOther {
		now := entryOf(other.Now, node)
		result.Result, result.Now = "changed", &now
	} else if err != nil {
		result.Result = "unknown"
	}
	return result
}

// act acts on what was shown, and tells what has come of it.
func (p *program) act(ctx context.Context, s *site, a *audit, e replay.Entry, node string) error {
	err := a.verb.act(s.engine, ctx, e)
	result := resultOf(a.verb, e, node, err)
	unwritten := a.write(p, result, err)
	other, isOther := errors.AsType[*replay.ChangedError](err)
	p.print(result, func() {
		switch {
		case err == nil:
			p.out.Printf("%s\n", a.verb.done)
		case isOther:
			p.out.Printf("\nNow:\n")
			describe(p.out, other.Now, node)
		}
	})
	switch {
	case unwritten != nil:
		return &fault{failed, fmt.Errorf("%s, but the audit line could not be written: %w", result.Result, unwritten), ""}
	case err == nil:
		return nil
	case isOther:
		return &fault{changed, errors.New("changed: now it is " + string(other.Now.State)), "nothing was done"}
	case errors.Is(err, replay.ErrUnfit):
		return unfit(a.verb.name, e)
	}
	f := s.unavailable(ctx, a.verb.name+" the key", e.Key, err).(*fault)
	f.cure = "nobody knows whether it was done: inspect the key again"
	return f
}
