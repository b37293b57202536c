package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
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
		"check now":            "got 1 argument, want flags only",
		"check --timeout soon": "invalid argument",
		"check --timeout -1s":  "--timeout: got -1s",
		"ls --older-than -5m":  "--older-than: got -5m",
		"ls --attempt -3":      "--attempt: got -3",
		"help chekc":           "did you mean check?",
	} {
		w.wants(2, words, strings.Fields(line)...)
	}
	w.environ = nil
	w.wants(2, "REPRISE_REDIS_URL: it isn't set", "check")
	w.environ = []string{"REPRISE_REDIS_URL=redis://127.0.0.1:1", "REPRISE_LOCK_TTL=soon", "REPRISE_REPLAY_TTL=x"}
	got := w.wants(2, "REPRISE_LOCK_TTL: got \"soon\", want a duration", "check")
	if strings.Count(got.stderr, "reprise: REPRISE_") != 2 || strings.Contains(got.stderr, `\n`) {
		t.Errorf("two faults are no two paragraphs:\n%s", got.stderr)
	}
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

// Who asks for JSON gets it, also where the command line can't be read to its end.
func TestMisuseAsJSON(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{"ls --bogus --json", "ls --timeout soon --json", "ls --json --timeout soon", "help chekc --json"} {
		got := w.run("", strings.Fields(line)...)
		var fault struct{ Exit int }
		if err := json.Unmarshal([]byte(got.stderr), &fault); err != nil || fault.Exit != 2 || got.stdout != "" {
			t.Errorf("%s: %v: got %+v", line, err, got)
		}
	}
}

// What may be a key or a secret isn't repeated, wherever it was put by mistake.
func TestMisuseRepeatsNoSecret(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "header")
	if err := os.WriteFile(file, []byte("Authorization Bearer s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"conformance", "http://localhost", "--header", "Authorization Bearer s3cret"},
		{"conformance", "http://localhost", "--header", "@" + file},
		{"inspect", "s3cret"},
		{"inspect", "--digest", "s3cret"},
		{"inspect", "--digest", "acme:s3cret"},
	} {
		if got := w.wants(2, "want", args...); strings.Contains(got.stdout+got.stderr, "s3cret") {
			t.Errorf("%q: got %+v", args, got)
		}
	}
}

// Every example can be run as it stands: its flags are known, and its values are taken.
func TestExamples(t *testing.T) {
	w := newWorld(t)
	t.Chdir(t.TempDir())
	digest := w.abandoned(w.engine(), "order-1")
	if err := os.WriteFile("authorization", []byte("Authorization: Bearer x"), 0o600); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for line := range strings.Lines(w.wants(0, "", "help").stdout) {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.HasPrefix(line, "  ") || strings.HasPrefix(fields[0], "-") {
			continue
		}
		help := w.run("", fields[0], "--help")
		if help.status != 0 {
			continue // a line of something else
		}
		example, _, _ := strings.Cut(help.stdout, "\n\n")
		for command := range strings.Lines(strings.ReplaceAll(example, "\\\n", "")) {
			_, command, isOurs := strings.Cut(command, "reprise ")
			if !isOurs {
				continue
			}
			for _, end := range []string{" |", " <", " )", "\n"} {
				command, _, _ = strings.Cut(command, end)
			}
			var args []string
			for arg := range strings.FieldsSeq(strings.NewReplacer(`"$digest"`, digest, `"$mark"`, "0123456789abcdef0123456789abcdef").Replace(command)) {
				args = append(args, strings.Trim(arg, "'"))
			}
			if slices.Contains([]string{"watch", "board", "conformance"}, args[0]) {
				args = append(args, "--help") // which is looked at after all else
			}
			if got := w.run("order-1", args...); got.status == 2 && !strings.Contains(got.stderr, "there is no terminal to ask on") {
				t.Errorf("reprise %s: got %+v", command, got)
			}
			ran++
		}
	}
	if ran < 20 {
		t.Errorf("%d examples ran", ran)
	}
}

// The page and the help tell of the same exits, in the same words.
func TestExitCodes(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) string {
		return strings.Join(strings.Fields(strings.NewReplacer("`", "", "|", "").Replace(s)), " ")
	}
	_, table, _ := strings.Cut(string(page), "\n|---|---|\n|")
	_, help, _ := strings.Cut(newWorld(t).wants(0, "", "help", "exit-codes").stdout, ":\n\n")
	if text(table) == "" || text(table) != text(help) {
		t.Errorf("the page has\n%s\nand the help\n%s", text(table), text(help))
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
