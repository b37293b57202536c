package cli

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/internal/conformance"
)

// A row is one of the contract's table.
type row struct {
	Dialect string   `json:"dialect"`
	Row     string   `json:"row"`
	Verdict string   `json:"verdict"` // "pass", "DIFF", or why it was not asked
	Diffs   []string `json:"differences,omitempty"`
}

// headers are the values of --header.
type headers struct{ http.Header }

func (h headers) String() string { return "" }
func (h headers) Type() string   { return "'Name: value'" }

// Set adds a header.
func (h headers) Set(text string) error {
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return fmt.Errorf("got %q, want 'Name: value'", text)
	}
	h.Header.Set(name, strings.TrimSpace(value))
	return nil
}

func (p *program) conformanceCommand() *cobra.Command {
	at := conformance.Payments()
	dialect := ""
	c := p.command(10*time.Minute, &cobra.Command{
		Use:     "conformance URL[,URL]",
		Short:   "Ask a running API for all that its dialect owes its clients",
		GroupID: settings,
		Example: "  reprise conformance http://127.0.0.1:8080 --dialect stripe\n" +
			"  reprise conformance https://api.example.com --path /orders \\\n" +
			"      --body '{\"item\":7}' --header 'Authorization: Bearer …' --tenant ''",
		Long: "It sends requests from outside and compares each answer to the byte with what the contract says. It " +
			"creates resources: point it at no production. Several URLs are one fleet, and are asked in turn. " +
			"Some rows need a server that is slow or dies on demand, and are not asked of one that isn't " +
			"examples/payments.",
		Args: cobra.ArbitraryArgs,
	}, func(ctx context.Context, args []string) (err error) {
		if len(args) != 1 {
			return misuse("conformance: got %s, want the URL of an API, such as http://127.0.0.1:8080", count(len(args), "argument", "arguments"))
		}
		if at.Servers, err = conformance.Servers(args[0]); err != nil {
			return misuse("conformance: %w", err)
		}
		contracts := conformance.Contracts(dialect)
		switch {
		case len(contracts) == 0:
			return misuse("--dialect: got %q, want one of %s", dialect, strings.Join(conformance.Dialects(), ", "))
		case at.Page != "" && !slices.Contains([]string{"problem", "ietf"}, dialect):
			return misuse("--page: want none for %s: the vendors' bodies are compared as they are without", dialect)
		}
		return p.conform(ctx, contracts, at)
	})
	flags := c.Flags()
	flags.StringVar(&dialect, "dialect", "problem", "the `dialect` in which it answers: "+strings.Join(conformance.Dialects(), ", "))
	flags.StringVar(&at.Path, "path", at.Path, "`path` of the resource that a POST with a key creates")
	flags.StringVar(&at.Body, "body", at.Body, "what is posted there")
	flags.StringVar(&at.Tenant, "tenant", at.Tenant, "the `header` that says whose key it is; empty if none does")
	flags.StringVar(&at.Page, "page", "", "the documentation `URL` that errors link to, in problem and ietf")
	flags.Var(headers{at.Header}, "header", "for every request, such as its authorization; may be repeated")
	return c
}

// conform asks row by row, and prints each as it comes.
func (p *program) conform(ctx context.Context, contracts []*conformance.Contract, at *conformance.Target) error {
	if err := at.AskDemo(ctx); ctx.Err() != nil {
		return ended(ctx)
	} else if err != nil {
		return &fault{failed, err, "see that it runs there, and can be reached from here"}
	}
	var told conformance.Report
	differ := 0
	for _, c := range contracts {
		w := told.Walk(c)
		for _, r := range w.Rows() {
			got := w.Ask(ctx, r, at)
			if ctx.Err() != nil {
				return ended(ctx)
			}
			if len(got.Diffs) > 0 {
				differ++
			}
			if p.json {
				p.line(row{c.Label(), got.Row, got.Verdict(), got.Diffs})
				continue
			}
			got.Print(p.out, c)
		}
	}
	if !p.json {
		p.out.Printf("%s\n", told.Closing())
	}
	if differ > 0 {
		return &fault{found, counted(differ, "row differs", "rows differ"), ""}
	}
	return nil
}
