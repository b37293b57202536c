package cli_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/reprise-go/reprise/replay"
)

// An entry is what --json prints of a key.
type entry struct {
	Digest      string
	Redis       string `json:"redis_key"`
	Node        string
	State       string
	Mark        string
	Attempt     int
	Fence       int64
	Fingerprint string
	Owner       string
	Age         int64 `json:"age_ms"`
	Left        int64 `json:"lease_left_ms"`
	Remembered  int64 `json:"forgotten_in_ms"`
	At          string
	Size        int64 `json:"bytes"`
	Version     int
	Compressed  bool
	Sealed      bool
	Tombstone   bool
	Fault       string
	Fit         []string
	Value       any
}

func (w *world) inspect(status int, args ...string) entry {
	w.Helper()
	return decode[entry](w.T, w.wants(status, "", append([]string{"inspect", "--json"}, args...)...).stdout)
}

func TestInspect(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	done, claimed, dead := w.done(e, "paid", answer{Status: 201}), w.claimed(e, "slow"), w.abandoned(e, "dead")
	foreign := e.Digest("acme", "foreign")
	if err := w.redis.Set("reprise:"+foreign, "xyz"); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]entry{
		"paid":    {Digest: done, State: "done", Fingerprint: "f", Version: 1, Fit: []string{"forget", "reveal"}},
		"slow":    {Digest: claimed, State: "claimed", Attempt: 1, Fit: []string{"release", "abandon"}},
		"dead":    {Digest: dead, State: "abandoned", Attempt: 1, Fit: []string{"release"}},
		"foreign": {Digest: foreign, State: "foreign", Fit: []string{"forget"}},
	} {
		got := w.inspect(0, "--scope", "acme", "--key", key)
		if got.Digest != want.Digest || got.State != want.State || got.Attempt != want.Attempt || got.Fingerprint != want.Fingerprint ||
			got.Version != want.Version || strings.Join(got.Fit, " ") != strings.Join(want.Fit, " ") || got.Node != w.redis.Addr() ||
			(got.Left > 0) != (want.State == "claimed") || len(got.Mark) != 32 || got.Value != nil {
			t.Errorf("%s: got %+v", key, got)
		}
		for _, by := range []string{want.Digest, "reprise:" + want.Digest} {
			if again := w.inspect(0, "--digest", by); again.State != want.State || again.Mark != got.Mark {
				t.Errorf("%s: by digest it is %+v", key, again)
			}
		}
		w.wants(0, "state "+want.State, "inspect", "--scope", "acme", "--key", key)
	}
	if got := w.inspect(3, "--scope", "acme", "--key", "none"); got.State != "free" {
		t.Errorf("got %+v", got)
	}
	w.wants(3, "without --scope it is a key of GlobalScope", "inspect", "--key", "none")
	w.wants(2, "want 64 hex digits", "inspect", "--digest", "abc")
	w.wants(2, "and not both", "inspect", "--digest", done, "--key", "paid")
	w.wants(1, "could not inspect the key at "+w.dead(), "inspect", "--digest", done)
}

// What keeps Redis from being asked is said without the names of what is within, and with what helps.
func TestReasonAndCure(t *testing.T) {
	for says, want := range map[string]string{
		"WRONGPASS invalid username-password pair or user is disabled.":                                  "the user or password of REDIS_URL is refused, or missing: fix it",
		"NOAUTH Authentication required.":                                                                "the user or password of REDIS_URL is refused, or missing: fix it",
		"NOPERM this user has no permissions to run the 'scan' command":                                  "allow it: docs/redis.md has an operator's user",
		"ERR The user executing the script can't run this command or subcommand script: 4e7a, on @x:12.": "allow it: docs/redis.md has an operator's user",
	} {
		t.Run(strings.Fields(says)[0], func(t *testing.T) {
			w := newWorld(t)
			w.says = says
			for command, line := range map[string]string{"EVALSHA": "inspect --key k", "SCAN": "ls", "TIME": "doctor"} {
				w.refuse = command
				got := w.run("", strings.Fields(line)...)
				text := strings.Join(strings.Fields(got.stdout+got.stderr), " ")
				if got.status == 0 || !strings.Contains(text, says) || !strings.Contains(text, want) ||
					strings.Contains(text, "replay:") || strings.Contains(text, "lock:") || strings.Contains(text, "up and") {
					t.Errorf("%s: got %+v", line, got)
				}
			}
		})
	}
}

// What can't be revealed is said in the operator's words.
func TestRevealUnfit(t *testing.T) {
	w := newWorld(t)
	w.wants(4, "can't reveal it: it is claimed", "inspect", "--reveal", "--digest", w.claimed(w.engine(), "slow"))
	w.wants(1, "of a type that only the program can read which stored it", "inspect", "--reveal", "--digest", w.done(w.engine(), "odd", map[int]string{1: "a"}))
}

// hostile is text by which somebody would drive a terminal, or pretend to be another line.
const hostile = "\x1b]0;owned\a\u009b2J\u202e\r\nstate  free\x7f<script>"

// What a handler or a client chose is shown quoted, and does nothing to a terminal.
func TestRevealShowsTextAsText(t *testing.T) {
	w := newWorld(t)
	digest := w.done(w.engine(), "paid", answer{Status: 201, Header: http.Header{"X-Name": {hostile}, hostile: {"a", "b"}}, Body: []byte(hostile + "\xff")})
	if got := w.wants(0, "", "inspect", "--digest", digest); strings.Contains(got.stdout, "owned") {
		t.Errorf("nobody has asked for the value:\n%s", got.stdout)
	}
	lines := w.run("", "inspect", "--digest", digest, "--reveal")
	inJSON := w.run("", "inspect", "--digest", digest, "--reveal", "--json")
	for _, got := range []result{lines, inJSON} {
		if got.status != 0 || !strings.Contains(got.stdout, "owned") {
			t.Errorf("got %+v", got)
		}
		for _, r := range got.stdout {
			if r != '\n' && (!unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r)) {
				t.Errorf("%U in\n%s", r, got.stdout)
			}
		}
	}
	for _, want := range []string{`"status": 201`, `"X-Name": "\x1b]0;owned\a`, `"body": "\x1b]0;owned`} {
		if !strings.Contains(lines.stdout, want) {
			t.Errorf("no %s in\n%s", want, lines.stdout)
		}
	}
	var got struct {
		Value struct {
			Header http.Header
			Body   map[string]string
		}
	}
	if err := json.Unmarshal([]byte(inJSON.stdout), &got); err != nil || got.Value.Header.Get("X-Name") != hostile || len(got.Value.Body["base64"]) == 0 {
		t.Errorf("%v: got %+v", err, got)
	}
}

// A sealed record is seen without its keys, and opened with them alone.
func TestSealed(t *testing.T) {
	w := newWorld(t)
	e := w.engine(func(c *replay.Config) { c.Cache.SealKeys = [][]byte{[]byte("0123456789abcdef")} })
	digest := w.done(e, "paid", answer{Status: 201, Body: []byte("secret")})
	if got := w.inspect(0, "--digest", digest); !got.Sealed || got.State != "done" {
		t.Errorf("got %+v", got)
	}
	w.wants(1, "set REPRISE_CACHE_SEAL_KEYS as the servers have it", "inspect", "--digest", digest, "--reveal")
	w.environ = append(w.environ, "REPRISE_CACHE_SEAL_KEYS=ZmVkY2JhOTg3NjU0MzIxMA==")
	w.wants(1, "another key", "inspect", "--digest", digest, "--reveal")
	w.environ = append(w.environ, "REPRISE_CACHE_SEAL_KEYS=MDEyMzQ1Njc4OWFiY2RlZg==")
	w.wants(0, `"body": "secret"`, "inspect", "--digest", digest, "--reveal")
}

// The values of a key and of secrets are in nothing that a command prints unasked.
func TestNoRawKeyIsPrinted(t *testing.T) {
	w := newWorld(t)
	w.environ = append(w.environ, "REPRISE_CACHE_SEAL_KEYS=MDEyMzQ1Njc4OWFiY2RlZg==")
	e := w.engine(func(c *replay.Config) { c.Cache.SealKeys = [][]byte{[]byte("0123456789abcdef")} })
	w.done(e, "raw-key-17", answer{Status: 201})
	for _, line := range []string{"inspect", "key", "release", "forget --yes", "inspect --json", "key --json", "forget --yes --json"} {
		got := w.run("", append(strings.Fields(line), "--scope", "raw-scope-17", "--key", "raw-key-17")...)
		if got.status != 0 && got.status != 3 && got.status != 4 {
			t.Errorf("%s: got %+v", line, got)
		}
		if text := got.stdout + got.stderr; strings.Contains(text, "raw-") || strings.Contains(text, "MDEy") {
			t.Errorf("%s: got %s", line, text)
		}
	}
}
