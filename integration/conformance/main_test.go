package conformance

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What is asked, for a server that is not ours. Flags go behind -args.
var (
	baseURL = flag.String("url", "", "ask the server at this `URL`, or several that are one fleet, separated by commas; "+
		"without it, examples/payments is started")
	dialect = flag.String("dialect", "", "ask in this `dialect` only; with -url the default is problem")
	path    = flag.String("path", "/payments", "`path` of the resource that a POST with a key creates")
	body    = flag.String("body", `{"amount":1999,"currency":"GBP"}`, "what is posted there")
	scope   = flag.String("tenant", "X-Account", "the `header` that says whose key it is; empty if none does")
	page    = flag.String("page", "", "the documentation `URL` that errors link to, in problem and ietf")
	header  = http.Header{"Content-Type": {"application/json"}}
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
	_ = flag.Set("test.parallel", strconv.Itoa(len(contracts)))
	code := m.Run()
	_ = os.RemoveAll(scratch)
	table.given = *baseURL == "" && len(givenRedis()) > 0
	table.print(os.Stdout)
	os.Exit(code)
}

func flagFaults() error {
	if *dialect != "" && !slices.ContainsFunc(contracts, func(c *contract) bool { return c.dialect == *dialect }) {
		return fmt.Errorf("-dialect: got %q, want one of %s", *dialect, strings.Join(dialects(contracts), ", "))
	}
	for _, server := range strings.Split(*baseURL, ",") {
		if u, err := url.Parse(server); *baseURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return fmt.Errorf("-url: got %q, want http://HOST:PORT", server)
		}
	}
	if *page != "" && !slices.Contains([]string{"", "problem", "ietf"}, *dialect) {
		return fmt.Errorf("-page: got %q, want none for %s: the vendors' bodies are compared as they are without", *page, *dialect)
	}
	return nil
}

// dialects are the names of the dialects, each once.
func dialects(all []*contract) (names []string) {
	for _, c := range all {
		names = append(names, c.dialect)
	}
	return slices.Compact(names)
}

// TestConformance walks the table. Each dialect has its own servers, and they go side by side.
func TestConformance(t *testing.T) {
	for _, c := range contracts {
		if *dialect != "" && c.dialect != *dialect || *dialect == "" && *baseURL != "" && c.dialect != "problem" {
			continue
		}
		t.Run(c.label(), func(t *testing.T) {
			w := &walk{contract: c, results: table.add(c)} // one by one, in the order of the table
			t.Parallel()
			if *baseURL == "" {
				w.walkOurs(t)
				return
			}
			theirs := &target{path: *path, header: header, body: *body, tenant: *scope, page: *page}
			for server := range strings.SplitSeq(*baseURL, ",") {
				theirs.servers = append(theirs.servers, strings.TrimSuffix(server, "/"))
			}
			theirs.askDemo()
			w.walk(t, theirs)
		})
	}
}
