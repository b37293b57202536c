package payments

import (
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/reprise-go/reprise/replay"
	"github.com/reprise-go/reprise/reprisetest"
)

// A handler that goes through effect is safe, whatever happens. This is all that a test of one's own
// needs.
func TestPaymentsAreRetrySafe(t *testing.T) { play(t, "effect") }

// And so is one that has another company do it, under a derived key.
func TestDerivedKeyIsRetrySafe(t *testing.T) { play(t, "derived key") }

// Redis being down, a handler is let run without a claim: then nothing but the handler itself keeps it
// from doing twice what is to happen once.
func play(t *testing.T, name string) {
	t.Helper()
	var way Way
	for _, w := range Ways {
		if w.Name == name {
			way = w
		}
	}
	if way.Pay == nil {
		t.Fatalf("there is no way called %q", name)
	}
	api := open(t)
	reprisetest.RetrySafe(t, reprisetest.Subject{
		Handler: func(t *testing.T, engine *replay.Engine) http.Handler {
			handler, err := api.Handler(engine, way)
			if err != nil {
				t.Fatal(err)
			}
			return handler
		},
		Request: func(key string) *http.Request { return request(key, `{"amount":1999}`) },
		Another: func(key string) *http.Request { return request(key, `{"amount":2999}`) },
		Effects: func(t *testing.T) map[string]int {
			var booked int
			if err := api.db.QueryRowContext(t.Context(), `SELECT count(*) FROM payments`).Scan(&booked); err != nil {
				t.Fatal(err)
			}
			return map[string]int{"payments": booked, "charges": api.provider.Charges()}
		},
		Config: replay.Config{OnStoreDown: replay.RunUnguarded},
	})
}

func open(t *testing.T) *API {
	t.Helper()
	file := filepath.Join(t.TempDir(), "payments.db")
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	api, err := New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

func request(key, body string) *http.Request {
	r := httptest.NewRequest("POST", "/payments", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	return r
}

// PAY=naive go test -run TestOne shows what the naive way does wrong.
func TestOne(t *testing.T) {
	way := os.Getenv("PAY")
	if way == "" {
		t.Skip("PAY names the way")
	}
	play(t, way)
}

// Each way fails in the scenes in which docs/testing-your-handler.md says so, and in no other.
func TestWays(t *testing.T) {
	heads, rows := table(t)
	for column, way := range heads {
		t.Run(way, func(t *testing.T) {
			failed := failures(t, way)
			if len(failed) != len(rows) {
				t.Errorf("%d scenes were played, and the page has %d", len(failed), len(rows))
			}
			for _, row := range rows {
				got, played := failed[row.scene]
				if want := row.cells[column] != "safe"; !played || got != want {
					t.Errorf("%s: played: %v, failed: %v, want %v", row.scene, played, got, want)
				}
			}
		})
	}
	if len(heads) != len(Ways) {
		t.Errorf("the page has %d ways, want %d", len(heads), len(Ways))
	}
}

// The failure that the page shows is the one that the naive way has.
func TestPageShowsTheFailure(t *testing.T) {
	said := output(t, "naive")
	page, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```text\n--- FAIL: ")
	block, _, found := strings.Cut(block, "```")
	if !found {
		t.Fatal("the page shows no failure")
	}
	number := regexp.MustCompile(`"id":\d+`)
	said = number.ReplaceAllString(said, "")
	for line := range strings.Lines(number.ReplaceAllString(block, "")) {
		if !strings.Contains(said, strings.TrimSpace(line)) {
			t.Errorf("the page has a line that isn't said: %s", line)
		}
	}
}

// failures plays all scenes, and returns which failed.
func failures(t *testing.T, way string) map[string]bool {
	t.Helper()
	out := output(t, way)
	result := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ *--- (PASS|FAIL): TestOne/(\S+)`).FindAllStringSubmatch(out, -1) {
		result[strings.ReplaceAll(m[2], "_", " ")] = m[1] == "FAIL"
	}
	if len(result) == 0 {
		t.Fatalf("no scene was played:\n%s", out)
	}
	return result
}

// output is what a process of its own says, whose tests may fail.
func output(t *testing.T, way string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOne$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), "PAY="+way)
	out, err := cmd.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		t.Fatal(err)
	}
	return string(out)
}

const page = "../../docs/testing-your-handler.md"

type row struct {
	scene string
	cells []string
}

// table reads the page's.
func table(t *testing.T) (heads []string, rows []row) {
	t.Helper()
	page, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case cells[0] == "scene":
			heads = cells[1:]
		case heads != nil && len(cells) != len(heads)+1:
			return heads, rows
		case heads != nil && !strings.HasPrefix(cells[0], "-"):
			rows = append(rows, row{cells[0], cells[1:]})
		}
	}
	t.Fatal("the page has no table of scenes, or nothing after it")
	return nil, nil
}
