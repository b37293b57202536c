package cli_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is wrong with a command line is told, and what helps.
func TestMisuse(t *testing.T) {
	w := newWorld(t)
	for line, words := range map[string]string{
		"chekc":                "did you mean check?",
		"chekcs-and-balances":  "reprise help lists them",
		"key --kye x":          "unknown flag: --kye",
		"key":                  "--key: want an idempotency key, - or @file",
		"key --key @/nowhere":  "no such file",
		"check now":            `got "now", want flags only`,
		"check --timeout soon": "invalid argument",
	} {
		w.wants(2, words, strings.Fields(line)...)
	}
	w.environ = nil
	w.wants(2, "REPRISE_REDIS_URL: it isn't set", "check")
	w.environ = []string{"REPRISE_REDIS_URL=redis://127.0.0.1:1", "REPRISE_LOCK_TTL=soon"}
	w.wants(2, "REPRISE_LOCK_TTL: got \"soon\", want a duration", "check")
}

func TestFaultAsJSON(t *testing.T) {
	w := newWorld(t)
	type fault struct {
		Error, Cure string
		Exit        int
	}
	got := w.run("", "chekc", "--json")
	if f := decode[fault](t, got.stderr); f.Exit != 2 || f.Error != "there is no command chekc" || f.Cure != "did you mean check?" || got.stdout != "" {
		t.Errorf("got %+v", got)
	}
}

// Help begins with an example, has lines of 80 columns, and says what the program exits with.
func TestHelp(t *testing.T) {
	w := newWorld(t)
	list := w.wants(0, "What the program exits with", "help").stdout
	_, list, _ = strings.Cut(list, "The fleet:")
	list, _, _ = strings.Cut(list, "Flags:")
	commands := 0
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if !strings.HasPrefix(line, "  ") || fields[0] == "exit-codes" {
			continue
		}
		commands++
		if got := w.wants(0, "Flags of all commands:", fields[0], "--help").stdout; !strings.Contains(strings.SplitN(got, "\n", 2)[0], "reprise "+fields[0]) {
			t.Errorf("the help of %s begins with\n%s", fields[0], got)
		}
	}
	if commands < 5 {
		t.Errorf("%d commands found", commands)
	}
	w.wants(0, "nothing stands under the key", "help", "exit-codes")
}

func TestKey(t *testing.T) {
	w := newWorld(t)
	const digest = "9fc5e6a0d7c32d96d215dc64497ca11b5cc029d0954fdb5f9ef2e8917addbc16"
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--key", "b"}, {"--key", "-"}, {"--key", "@" + file}} {
		got := w.run("b\n", append([]string{"key", "--scope", "a"}, args...)...)
		if got.status != 0 || !strings.Contains(got.stdout, "reprise:"+digest+"\n") || !strings.Contains(got.stdout, w.redis.Addr()) {
			t.Errorf("%q: got %+v", args, got)
		}
	}
	type place struct {
		Digest, Node string
		Redis        string `json:"redis_key"`
	}
	if got := decode[place](t, w.wants(0, "", "key", "--scope", "a", "--key", "b", "--json").stdout); got.Digest != digest || got.Node != w.redis.Addr() {
		t.Errorf("got %+v", got)
	}
}

func TestEnv(t *testing.T) {
	w := newWorld(t)
	w.environ = append(w.environ, "REPRISE_LOCK_TLL=3s", "REPRISE_CACHE_SEAL_KEYS=MDEyMzQ1Njc4OWFiY2RlZg==")
	got := w.wants(5, "did you mean REPRISE_LOCK_TTL?", "env")
	if strings.Contains(got.stdout, "MDEy") || !strings.Contains(got.stdout, "REPRISE_CACHE_SEAL_KEYS=(hidden)") {
		t.Errorf("got %s", got.stdout)
	}
	if got = w.wants(5, "REPRISE_REDIS_URL=redis://", "env", "--set"); strings.Contains(got.stdout, "REPRISE_REPLAY_TTL") {
		t.Errorf("got %s", got.stdout)
	}
	w.wants(5, "REPRISE_CACHE_SEAL_KEYS=MDEyMzQ1Njc4OWFiY2RlZg==", "env", "--reveal")
	w.environ = nil
	w.wants(0, "REPRISE_LOCK_TTL  default: 15s", "env")
}

func TestVersion(t *testing.T) {
	w := newWorld(t)
	w.wants(0, "github.com/redis/go-redis/v9", "version")
	w.wants(0, `"version":`, "version", "--json")
}

type checked struct {
	Where    string
	Findings []struct{ Setting, Found, Want, Cure string }
}

// The embedded Redis has no sharded channels, which is a finding; that nothing is amiss is seen on a real
// cluster, in integration/reprise.
func TestCheck(t *testing.T) {
	w := newWorld(t)
	w.wants(5, "reprise: 2 findings", "check")
	w.refuse = "PEXPIRE"
	w.wants(5, "+pexpire", "check")
	all := decode[[]checked](t, w.wants(5, "", "check", "--json").stdout)
	if len(all) != 1 || all[0].Where != w.redis.Addr() || len(all[0].Findings) != 3 || all[0].Findings[0].Setting != "PEXPIRE" {
		t.Errorf("got %+v", all)
	}
	w.dead()
	w.wants(1, "no node answers", "check")
}

func TestDoctor(t *testing.T) {
	w := newWorld(t)
	got := w.wants(5, "ok      first request  2 round trips, ", "doctor")
	for _, words := range []string{"  ok      replay         1 round trip, ", "  ok      scripts        each runs", "  NOT OK  channels       SPUBLISH: got ERR", "  ok      clock          "} {
		if !strings.Contains(got.stdout, words) {
			t.Errorf("no %q in\n%s", words, got.stdout)
		}
	}
	if left := w.redis.Keys(); len(left) > 0 {
		t.Errorf("it left behind %q", left)
	}
	w.refuse = "PEXPIRE"
	w.wants(5, "NOT OK  scripts        PEXPIRE: got NOPERM", "doctor")
	w.dead()
	w.wants(1, "NOT OK  answers  ", "doctor")
}

func TestConformance(t *testing.T) {
	w := newWorld(t)
	w.environ = nil // it needs none
	indifferent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer indifferent.Close()
	w.wants(5, "9 not asked (problem)\nreprise: 11 rows differ", "conformance", indifferent.URL)
	type row struct {
		Dialect, Row, Verdict string
		Differences           []string
	}
	if got := decode[row](t, w.wants(5, "", "conformance", indifferent.URL, "--json", "--dialect", "stripe").stdout); got.Dialect != "stripe" || got.Verdict != "DIFF" || len(got.Differences) == 0 {
		t.Errorf("got %+v", got)
	}
	indifferent.Close()
	w.wants(1, "connection refused", "conformance", indifferent.URL)
	w.wants(2, "want the URL of an API", "conformance")
	w.wants(2, "want http://HOST:PORT", "conformance", "localhost")
	w.wants(2, "want one of problem, ietf", "conformance", "http://localhost", "--dialect", "acme")
	w.wants(2, "want 'Name: value'", "conformance", "http://localhost", "--header", "x")
}
