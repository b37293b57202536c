package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// An audit is the line that an act leaves.
type audit struct {
	Msg, Operator, Verb, Digest, Result, Reason, Error string
	Before, Now                                        struct {
		State   string
		Attempt int
		Owner   string
	}
}

func lastAudit(t *testing.T, text string) (a audit) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, `{"time"`) {
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatal(err)
			}
		}
	}
	return a
}

func TestActs(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	file := filepath.Join(t.TempDir(), "acts.log")
	for _, tt := range []struct{ verb, digest, before, after, did string }{
		{"forget", w.done(e, "paid", answer{Status: 201}), "done", "free", "forgotten"},
		{"release", w.abandoned(e, "dead"), "abandoned", "free", "released"},
		{"abandon", w.claimed(e, "slow"), "claimed", "abandoned", "abandoned"},
		{"release", w.claimed(e, "slower"), "claimed", "free", "released"},
	} {
		refused := w.wants(2, "--yes does it without a question", tt.verb, "--digest", tt.digest)
		if !strings.Contains(refused.stderr, " will ") || !strings.Contains(refused.stderr, "state        "+tt.before) || refused.stdout != "" {
			t.Errorf("it doesn't show what it would do:\n%s", refused.stderr)
		}
		if now := w.inspect(0, "--digest", tt.digest); now.State != tt.before {
			t.Errorf("%s: it acted unasked: %+v", tt.verb, now)
		}
		done := w.wants(0, tt.did, tt.verb, "--digest", tt.digest, "--yes", "--audit", file, "--reason", "ticket-7")
		now := w.inspect(map[string]int{"free": 3}[tt.after], "--digest", tt.digest)
		if now.State != tt.after {
			t.Errorf("%s: then it is %s, want %s", tt.verb, now.State, tt.after)
		}
		kept, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{done.stderr, string(kept)} {
			got := lastAudit(t, text)
			if got.Verb != tt.verb || got.Digest != tt.digest || got.Result != tt.did || got.Before.State != tt.before || got.Reason != "ticket-7" || !strings.Contains(got.Operator, "@") {
				t.Errorf("%s: the audit line is %+v", tt.verb, got)
			}
		}
	}
	free := e.Digest("acme", "none")
	w.wants(3, "nothing stands under the key", "release", "--digest", free, "--yes")
	w.wants(4, "can't release it: it is done", "release", "--digest", w.done(e, "paid", answer{}), "--yes")
	w.wants(2, "--audit: ", "forget", "--digest", w.done(e, "paid", answer{}), "--yes", "--audit", "/nowhere/acts.log")
	if now := w.inspect(0, "--digest", w.done(e, "paid", answer{})); now.State != "done" {
		t.Errorf("what can't be told was done: %+v", now)
	}
}

// Who reads JSON gets nothing else, also where nobody can be asked.
func TestQuestionInJSON(t *testing.T) {
	w := newWorld(t)
	got := w.run("", "release", "--digest", w.abandoned(w.engine(), "dead"), "--json")
	var fault struct{ Error string }
	if err := json.Unmarshal([]byte(got.stderr), &fault); err != nil || got.stdout != "" || got.status != 2 {
		t.Errorf("%v: got %+v", err, got)
	}
}

// An act that can't be told of isn't done; one of which that shows too late says so.
func TestAuditThatFails(t *testing.T) {
	w := newWorld(t)
	digest := w.abandoned(w.engine(), "dead")
	refused := w.wants(2, "--audit: open /nowhere/acts.log", "release", "--digest", digest, "--audit", "/nowhere/acts.log")
	if strings.Contains(refused.stdout+refused.stderr, "Release will") {
		t.Errorf("it asks before it finds out: %+v", refused)
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	got := w.wants(1, "released, but the audit line could not be written: ", "release", "--digest", digest, "--yes", "--audit", "/dev/full")
	if a := lastAudit(t, got.stderr); a.Verb != "release" {
		t.Errorf("standard error has no line: %+v", got)
	}
}

// What stands there when the act arrives isn't what was shown: nothing is done.
func TestKeyThatChangesIsLeftAlone(t *testing.T) {
	for name, yes := range map[string][]string{"lines": {"--yes"}, "json": {"--yes", "--json"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			e := w.engine()
			digest, looks := w.abandoned(e, "dead"), 0
			w.before = func(cmd string, args []string) {
				if cmd == "EVALSHA" && args[2] == "reprise:"+digest {
					if looks++; looks == 2 { // the act, after the look
						w.before = nil
						if _, err := e.Do(context.Background(), replay.Request{Scope: "acme", Key: "dead"}, func(context.Context) (replay.Answer, error) {
							return replay.Answer{}, errors.New("it fails again")
						}); err == nil {
							t.Error("it has not failed")
						}
					}
				}
			}
			// The scripts are loaded, so that each is one command.
			w.inspect(0, "--digest", digest)
			w.run("", "release", "--digest", e.Digest("acme", "none"), "--yes")
			other := w.abandoned(e, "other")
			w.run("", "release", "--digest", other, "--yes")
			looks = 0
			got := w.wants(4, "changed: now it is abandoned", append([]string{"release", "--digest", digest}, yes...)...)
			if now := w.inspect(0, "--digest", digest); now.State != "abandoned" || now.Attempt != 2 {
				t.Errorf("it is %+v", now)
			}
			if a := lastAudit(t, got.stderr); a.Result != "changed" || a.Before.Attempt != 1 || a.Now.Attempt != 2 {
				t.Errorf("the audit line is %+v", a)
			}
		})
	}
}

// A script that has looked acts on what it saw, and on nothing else.
func TestMark(t *testing.T) {
	w := newWorld(t)
	e := w.engine(func(c *replay.Config) { c.Lock = lock.Config{Pipeline: lock.PipelineOff} })
	digest := w.abandoned(e, "dead")
	seen := w.inspect(0, "--digest", digest)
	w.abandoned(e, "dead")
	w.wants(4, "another mark", "release", "--digest", digest, "--mark", seen.Mark, "--yes")
	seen = w.inspect(0, "--digest", digest)
	w.wants(0, "released", "release", "--digest", digest, "--mark", seen.Mark, "--yes")
}

// Whether an act arrived that had no answer nobody knows, and the program says so.
func TestActWithoutAnswer(t *testing.T) {
	w := newWorld(t)
	digest, looks := w.abandoned(w.engine(), "dead"), 0
	w.before = func(cmd string, args []string) {
		if cmd == "EVALSHA" && args[2] == "reprise:"+digest {
			if looks++; looks == 2 {
				go w.redis.Close()
				<-w.redis.Ctx.Done()
			}
		}
	}
	w.environ = append(w.environ, "REPRISE_LOCK_TIMEOUT=500ms")
	w.run("", "inspect", "--digest", digest)
	looks = 0
	got := w.wants(1, "nobody knows whether it was done", "release", "--digest", digest, "--yes")
	if a := lastAudit(t, got.stderr); a.Result != "unknown" || a.Error == "" {
		t.Errorf("the audit line is %+v", a)
	}
}
