package cli

import (
	"context"
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

// setHeaders sets what --header says, which may be secret: no error repeats it.
func (p *program) setHeaders(ctx context.Context, to http.Header, all []string) error {
	for _, text := range all {
		text, err := argument(ctx, "--header", text, p.Stdin)
		if err != nil {
			return err
		}
		for line := range strings.Lines(text) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
			if !ok {
				return misuse("--header: got no colon, want 'Name: value'")
			}
			to.Set(name, strings.TrimSpace(value))
		}
	}
	return nil
}

func (p *program) conformanceCommand() *cobra.Command {
	at := conformance.Payments()
	dialect := ""
	var headers []string
	c := p.command(10*time.Minute, &cobra.Command{
		Use:     "conformance URL[,URL]",
		Short:   "Ask a running API for all that its dialect owes its clients",
		GroupID: settings,
		Example: "  reprise conformance http://127.0.0.1:8080 --dialect stripe\n" +
			"  reprise conformance https://api.example.com --path /orders \\\n" +
			"      --body '{\"item\":7}' --header @authorization --tenant ''",
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
		if err := p.setHeaders(ctx, at.Header, headers); err != nil {
			return err
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
	flags.StringArrayVar(&headers, "header", nil, "`'Name: value'` for every request, such as its authorization; may be repeated; @file reads lines of a file, so that no list of processes shows them")
	return c
}

// conform asks row by row, and prints each as it comes.
func (p *program) conform(ctx context.Context, contracts []*conformance.Contract, at *conformance.Target) error {
	if err := at.AskDemo(ctx); ctx.Err() != nil {
		return ended(ctx)
	} else if err != nil {
		return &fault{failed, err, "see that it runs there, and can be reached from here"}
	}
	var report conformance.Report
	differ := 0
	for _, c := range contracts {
		w := report.Walk(c)
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
		p.out.Printf("%s\n", report.Closing())
	}
	if differ > 0 {
		return &fault{found, counted(differ, "row differs", "rows differ"), ""}
	}
	return nil
}
