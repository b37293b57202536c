package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
	"github.com/reprise-go/reprise/replay"
)

func (p *program) inspectCommand() *cobra.Command {
	by := &selector{}
	reveal := false
	c := p.command(ask, &cobra.Command{
		Use:     "inspect (--scope S --key K | --digest D)",
		Short:   "What stands under a key: state, attempt, age, lease, size",
		GroupID: fleet,
		Example: "  reprise inspect --scope acme --key order-1\n" +
			"  reprise inspect --digest \"$digest\" --json | jq -r .state",
		Long: "It changes nothing. The answer that a record holds is shown with --reveal alone, decoded, and " +
			"needs REPRISE_CACHE_SEAL_KEYS if the record is sealed.",
	}, func(ctx context.Context, _ []string) error {
		s, err := p.connect(ctx)
		if err != nil {
			return err
		}
		defer s.close()
		e, node, err := p.look(ctx, s, by)
		if err != nil {
			return err
		}
		shown := entryOf(e, node)
		var unrevealed error
		var value any
		if reveal && e.State != replay.KeyFree {
			value, unrevealed = p.reveal(ctx, s, e)
			shown.Value = readable(value)
		}
		p.print(shown, func() {
			describe(p.out, e, node)
			if value != nil {
				p.printValue(value)
			}
		})
		if e.State == replay.KeyFree {
			return p.isFree(by)
		}
		return unrevealed
	})
	by.flags(c)
	c.Flags().BoolVar(&reveal, "reveal", false, "show the stored answer, too")
	return c
}

// isFree is the end of a command that has found nothing.
func (p *program) isFree(by *selector) error {
	cure := "a request that comes now is the first; see that scope, key and REPLAY_PREFIX are those of the servers"
	if by.digest == "" && by.scope == "" {
		cure += " (without --scope it is a key of GlobalScope)"
	}
	return &fault{free, errors.New("nothing stands under the key"), cure}
}

// reveal fetches the value of a record.
func (p *program) reveal(ctx context.Context, s *site, e replay.Entry) (any, error) {
	value, err := s.engine.Reveal(ctx, e)
	switch {
	case err == nil:
		return value, nil
	case errors.Is(err, replay.ErrSealed):
		return nil, &fault{failed, errors.New("the record is sealed, and there are no keys here to open it"),
			"set " + p.prefix + "CACHE_SEAL_KEYS as the servers have it"}
	case errors.Is(err, replay.ErrUnreadable):
		reason := "it is out of bounds"
		if corrupt, ok := errors.AsType[*cache.CorruptError](err); ok {
			reason = corrupt.Reason
		}
		return nil, &fault{failed, errors.New("the record can't be read: " + reason), "it is damaged, or sealed with another key than those of " +
			p.prefix + "CACHE_SEAL_KEYS, or longer than CACHE_MAX_DECODED, or of a type that only the program can read which stored it"}
	case errors.Is(err, replay.ErrUnfit):
		return nil, unfit("reveal", e)
	case errors.Is(err, replay.ErrReplayUnavailable):
		return nil, &fault{changed, errors.New("can't reveal it: it is a tombstone, and its answer was not kept"), ""}
	case errors.Is(err, replay.ErrChanged):
		return nil, &fault{changed, errors.New("changed meanwhile"), "look again"}
	}
	return nil, s.unavailable(ctx, "fetch the record", e.Key, err)
}

// readable makes JSON of a value: bytes that are text become text, and others base64; numbers that JSON
// has not, as NaN, become text.
func readable(value any) any {
	switch v := value.(type) {
	case []byte:
		if utf8.Valid(v) {
			return string(v)
		}
		return map[string]string{"base64": base64.StdEncoding.EncodeToString(v)}
	case float32:
		return readable(float64(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
	case map[string]any:
		m := make(map[string]any, len(v))
		for name, part := range v {
			m[name] = readable(part)
		}
		return m
	case map[any]any:
		m := make(map[string]any, len(v))
		for name, part := range v {
			m[fmt.Sprint(name)] = readable(part)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, part := range v {
			list[i] = readable(part)
		}
		return list
	}
	return value
}

// printValue writes a value line by line, every text of it quoted: a client or a handler chose it.
func (p *program) printValue(value any) {
	p.out.Println(screen.Strong, "value")
	p.printPart("  ", "", value)
}

func (p *program) printPart(indent, name string, value any) {
	lead := indent
	if name != "" {
		lead += strconv.Quote(name) + ": "
	}
	switch v := value.(type) {
	case map[string]any:
		p.printLine(indent, name)
		for _, part := range slices.Sorted(maps.Keys(v)) {
			p.printPart(indent+"  ", part, v[part])
		}
	case []any:
		if len(v) == 1 {
			p.printPart(indent, name, v[0])
			return
		}
		p.printLine(indent, name)
		for _, part := range v {
			p.printPart(indent+"  ", "-", part)
		}
	case string:
		p.out.Printf("%s%s\n", lead, strconv.Quote(v))
	case []byte:
		p.out.Printf("%s%s\n", lead, strconv.Quote(string(v)))
	default:
		p.out.Printf("%s%s\n", lead, fmt.Sprint(v))
	}
}

func (p *program) printLine(indent, name string) {
	if name != "" {
		p.out.Printf("%s%s:\n", indent, strconv.Quote(name))
	}
}
