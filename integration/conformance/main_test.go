package conformance

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/internal/conformance"
)

// What is asked, for a server that is not ours. Flags go behind -args.
var (
	baseURL = flag.String("url", "", "ask the server at this `URL`, or several that are one fleet, separated by commas; "+
		"without it, examples/payments is started")
	dialect = flag.String("dialect", "", "ask in this `dialect` only; with -url the default is problem")
	path    = flag.String("path", conformance.Payments().Path, "`path` of the resource that a POST with a key creates")
	body    = flag.String("body", conformance.Payments().Body, "what is posted there")
	scope   = flag.String("tenant", conformance.Payments().Tenant, "the `header` that says whose key it is; empty if none does")
	page    = flag.String("page", "", "the documentation `URL` that errors link to, in problem and ietf")
	header  = conformance.Payments().Header
)

func init() {
	flag.Func("header", "a `'Name: value'` for every request, such as its authorization; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, ":")
		if !ok {
			return fmt.Errorf("got %q, want 'Name: value'", s)
		}
		header.Set(name, strings.TrimSpace(value))
		return nil
	})
}

// table is what is printed at the end.
var table conformance.Report

// scratch is a directory for what is built.
var scratch string

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flagFaults(); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	var err error
	if scratch, err = os.MkdirTemp("", "conformance-"); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	// Dialects wait for their servers most of the time, so that they can go side by side on any machine.
	_ = flag.Set("test.parallel", strconv.Itoa(len(conformance.Contracts(""))))
	code := m.Run()
	_ = os.RemoveAll(scratch)
	if *baseURL == "" && len(givenRedis()) > 0 {
		table.On = "the Redis of " + redisURL
	}
	table.Print(os.Stdout)
	os.Exit(code)
}

func flagFaults() error {
	if *dialect != "" && len(conformance.Contracts(*dialect)) == 0 {
		return fmt.Errorf("-dialect: got %q, want one of %s", *dialect, strings.Join(conformance.Dialects(), ", "))
	}
	if *baseURL != "" {
		if _, err := conformance.Servers(*baseURL); err != nil {
			return fmt.Errorf("-url: %w", err)
		}
	}
	if *page != "" && !slices.Contains([]string{"", "problem", "ietf"}, *dialect) {
		return fmt.Errorf("-page: got %q, want none for %s: the vendors' bodies are compared as they are without", *page, *dialect)
	}
	return nil
}

// TestConformance walks the table. Each dialect has its own servers, and they go side by side.
func TestConformance(t *testing.T) {
	asked := *dialect
	if asked == "" && *baseURL != "" {
		asked = "problem"
	}
	for _, c := range conformance.Contracts(asked) {
		t.Run(c.Label(), func(t *testing.T) {
			w := &walk{Walk: table.Walk(c), contract: c} // one by one, in the order of the table
			t.Parallel()
			if *baseURL == "" {
				w.walkOurs(t)
				return
			}
			theirs := &conformance.Target{Path: *path, Header: header, Body: *body, Tenant: *scope, Page: *page}
			theirs.Servers, _ = conformance.Servers(*baseURL) // which flagFaults has seen
			if err := theirs.AskDemo(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.walk(t, theirs)
		})
	}
}
