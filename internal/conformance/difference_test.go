package conformance

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// right is the answer that a contract wants.
func right(t *testing.T, c *Contract, o outcome, key, page string) answer {
	t.Helper()
	status, body, err := c.render(o, key, page)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("Content-Type", c.contentType)
	set("Content-Length", strconv.Itoa(len(body)))
	set("Content-Language", c.language)
	set("Cache-Control", "no-store")
	set("X-Content-Type-Options", "nosniff")
	set("X-Should-Retry", strconv.FormatBool(o.retry))
	if c.hint != "" {
		set(c.hint, strconv.FormatBool(o.retry))
	}
	if o.retry {
		set("Retry-After", "30")
	}
	if page != "" {
		set("Link", "<"+page+`>; rel="describedby"; type="text/html"`)
	}
	return answer{status: status, header: h, body: body}
}

var outcomes = []outcome{keyMissing, keyMalformed, keyTooLong, keyRepeated, bodyTooLarge, reused, inProgress,
	outcomeUnknown, replayUnavailable, unavailable}

// An error passes as the contract has it, and with any change to it differs.
func TestEveryDifferenceOfAnErrorIsSeen(t *testing.T) {
	for _, c := range contracts {
		for _, o := range outcomes {
			for _, page := range []string{"", "https://example.com/keys"} {
				differences := func(change func(*answer)) []string {
					a := right(t, c, o, "key-1", page)
					change(&a)
					v := &visit{Contract: c, target: &Target{Page: page}}
					v.refused("", a, o, "key-1")
					return v.diffs
				}
				if diffs := differences(func(*answer) {}); len(diffs) > 0 {
					t.Errorf("%s, %s: the right answer differs:\n%s", c.Label(), o.name, strings.Join(diffs, "\n"))
				}
				changes := map[string]func(*answer){
					"status":     func(a *answer) { a.status++ },
					"last byte":  func(a *answer) { a.body = a.body[:len(a.body)-1] + "!" },
					"newline":    func(a *answer) { a.body += "\n" },
					"no body":    func(a *answer) { a.body = "" },
					"broken":     func(a *answer) { a.err = http.ErrHandlerTimeout },
					"marked":     func(a *answer) { a.header.Set(c.marker, "true") },
					"other wait": func(a *answer) { a.header.Set("Retry-After", "31") },
					"no wait":    func(a *answer) { a.header.Set("Retry-After", "0") },
					"two waits":  func(a *answer) { a.header["Retry-After"] = []string{"1", "1"} },
				}
				for name := range right(t, c, o, "key-1", page).header {
					changes["without "+name] = func(a *answer) { a.header.Del(name) }
					changes["twice "+name] = func(a *answer) { a.header.Add(name, a.header.Get(name)) }
					if name != "Retry-After" {
						changes["other "+name] = func(a *answer) { a.header.Set(name, a.header.Get(name)+"0") }
					}
				}
				for name, change := range changes {
					if diffs := differences(change); len(diffs) == 0 {
						t.Errorf("%s, %s: %s is not seen", c.Label(), o.name, name)
					}
				}
			}
		}
	}
}

// A replay passes with what no record keeps, and with any other change differs.
func TestEveryDifferenceOfAReplayIsSeen(t *testing.T) {
	for _, c := range contracts {
		differences := func(change func(*answer)) []string {
			header := http.Header{"Location": {"/a"}, "Content-Length": {"2"}, "Link": {"<a>", "<b>"}, "Date": {"now"}}
			first := answer{status: 201, header: header, body: "ok"}
			again := answer{status: 201, header: header.Clone(), body: "ok"}
			again.header.Set(c.marker, strings.ReplaceAll(c.value, "{KEY}", "key-1"))
			change(&again)
			v := &visit{Contract: c}
			v.replays("", again, first, "key-1")
			return v.diffs
		}
		for name, tt := range map[string]struct {
			change func(*answer)
			seen   bool
		}{
			"none":           {func(*answer) {}, false},
			"other date":     {func(a *answer) { a.header.Set("Date", "later") }, false},
			"another limit":  {func(a *answer) { a.header.Set("X-Ratelimit-Left", "1") }, false},
			"status":         {func(a *answer) { a.status = 200 }, true},
			"body":           {func(a *answer) { a.body = "no" }, true},
			"length":         {func(a *answer) { a.header.Set("Content-Length", "3") }, true},
			"no length":      {func(a *answer) { a.header.Del("Content-Length") }, true},
			"no marker":      {func(a *answer) { a.header.Del(c.marker) }, true},
			"other marker":   {func(a *answer) { a.header.Set(c.marker, "false") }, true},
			"no Location":    {func(a *answer) { a.header.Del("Location") }, true},
			"one Link":       {func(a *answer) { a.header.Set("Link", "<a>") }, true},
			"Link in order":  {func(a *answer) { slices.Reverse(a.header["Link"]) }, true},
			"further header": {func(a *answer) { a.header.Set("Etag", `"1"`) }, true},
			"broken":         {func(a *answer) { *a = answer{err: http.ErrHandlerTimeout} }, true},
		} {
			if diffs := differences(tt.change); (len(diffs) > 0) != tt.seen {
				t.Errorf("%s, %s: got %q", c.Label(), name, diffs)
			}
		}
	}
}

// An indifferent server has never heard of keys: each answer is a success and a new one. It counts
// requests, and those that ask for trouble.
type indifferent struct {
	*Target
	requests, trouble atomic.Int64
}

func newIndifferent(t *testing.T) *indifferent {
	t.Helper()
	at := &indifferent{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := at.requests.Add(1)
		for name := range r.Header {
			if strings.HasPrefix(name, "X-Demo-") {
				at.trouble.Add(1)
			}
		}
		if r.URL.Path == "/demo" {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, n)
	}))
	t.Cleanup(server.Close)
	at.Target = &Target{Servers: []string{server.URL}, Path: "/orders", Body: "{}", Tenant: "X-Account"}
	return at
}

func TestEveryRowCanFail(t *testing.T) {
	at := newIndifferent(t)
	for _, c := range contracts {
		for _, r := range rows {
			v := &visit{Contract: c, ctx: t.Context(), target: at.Target}
			if r.ask(v); r.about(c) && len(v.diffs) == 0 {
				t.Errorf("%s, %s: passes where keys mean nothing", c.Label(), r.Name)
			}
		}
	}
}

// A server that is not ours is asked what any can answer, and the table tells of the rest.
func TestForeignServer(t *testing.T) {
	at := newIndifferent(t)
	at.Tenant = ""
	if err := at.AskDemo(t.Context()); err != nil {
		t.Fatal(err)
	}
	var told Report
	w := told.Walk(contracts[0])
	for _, r := range w.Rows() {
		if r.Name != "done" {
			w.Ask(t.Context(), r, at.Target)
		}
	}
	var out strings.Builder
	told.Print(&out)
	for _, want := range []string{
		"problem       key missing                         DIFF\n    no key: status\n      want 400\n      got  200 with \"2\"\n",
		"problem       done                                not asked\n",
		"problem       another tenant's key                not asked: needs the header that says whose key it is\n",
		"problem       in progress                         not asked: needs X-Demo-Delay of examples/payments\n",
		"problem       store unavailable                   not asked: needs examples/payments with no Redis\n",
		"conformance: 0 of 21 rows pass, 11 not asked (problem)\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	if n := at.trouble.Load(); n > 0 {
		t.Errorf("it was asked for trouble %d times", n)
	}
	if n := at.requests.Load(); n > 100 {
		t.Errorf("%d requests, want at most 100", n)
	}
}

// A server that hangs is not waited for again and again.
func TestHangingServer(t *testing.T) {
	var requests atomic.Int64
	end := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		requests.Add(1)
		<-end
	}))
	defer server.Close()
	defer close(end)
	at := &Target{Servers: []string{server.URL}, Tenant: "X-Account", timeout: 10 * time.Millisecond}
	for _, r := range rows {
		v := &visit{Contract: contracts[0], ctx: t.Context(), target: at}
		if r.ask(v); r.about(contracts[0]) && len(v.diffs) == 0 {
			t.Errorf("%s passes", r.Name)
		}
	}
	if n := requests.Load(); n > maxTimeouts {
		t.Errorf("%d requests, want at most %d", n, maxTimeouts)
	}
}

// What is expected here can't have been taken from what is checked.
func TestLinksNothingOfReprise(t *testing.T) {
	const module = "github.com/reprise-go/reprise/"
	list, err := exec.Command("go", "list", "-deps", "-test", ".").Output()
	if err != nil || !strings.Contains(string(list), module+"internal/conformance") {
		t.Fatalf("go list: %v\n%s", err, list)
	}
	for path := range strings.Lines(string(list)) {
		if ours, ok := strings.CutPrefix(path, module); ok && !strings.HasPrefix(ours, "internal/conformance") {
			t.Errorf("it links %s", ours)
		}
	}
}
