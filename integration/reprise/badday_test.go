package reprise

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/reprise-go/reprise/integration/local"
)

// A node that is gone, or hangs: what is about it says so and names it, in bounded time; what isn't
// goes on; and what is about all says that it is in part.
func TestNodeAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*local.Server){"killed": (*local.Server).Kill, "stopped": (*local.Server).Stop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.within("750ms") // what the others answer in, and what each step waits for the one in vain
			victim, other := w.cluster.Servers[1], w.cluster.Servers[2]
			lostKey, lost := w.at(victim, "lost")
			keptKey, kept := w.at(other, "kept")
			w.done(lostKey)
			w.done(keptKey)
			away(victim)

			w.wants(0, "state done", "inspect", "--digest", kept)
			w.wants(1, "could not inspect the key at "+victim.Addr, "inspect", "--digest", lost)
			w.wants(1, "could not inspect the key at "+victim.Addr, "forget", "--digest", lost, "--yes")
			w.wants(0, "", "key", "--scope", "acme", "--key", lostKey)
			got := w.wants(1, "in part: keys are missing above, of "+victim.Addr, "ls")
			if !strings.Contains(got.stdout, kept) {
				t.Errorf("what can be seen isn't shown: %v", got)
			}
			w.wants(1, "in part: keys are missing above, of "+victim.Addr, "stats")
			w.wants(5, victim.Addr+" INFO got", "check")
			got = w.wants(5, victim.Addr+" NOT OK answers", "doctor")
			if strings.Count(got.stdout, "first request  2 round trips, ") != 2 {
				t.Errorf("the others aren't examined: %v", got)
			}
			w.wants(0, "forgotten", "forget", "--digest", kept, "--yes")
		})
	}
}

// Nobody answers at all.
func TestAllAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.within("500ms") // in vain
	digest := w.done("paid")
	for _, s := range w.cluster.Servers {
		s.Kill()
	}
	for _, line := range []string{"inspect --digest " + digest, "forget --yes --digest " + digest, "ls", "check"} {
		got := w.wants(1, w.cluster.Servers[0].Addr, strings.Fields(line)...)
		if got.stderr == "" {
			t.Errorf("reprise %s says nothing of it: %v", line, got)
		}
	}
	w.wants(1, `"exit":1`, "ls", "--json")
	if got := w.wants(1, "no node answers", "doctor", "--json"); strings.Contains(got.stdout, "clocks") || strings.Contains(got.stdout, `"ok": true`) {
		t.Errorf("it finds nobody well: %v", got)
	}
}

// A key whose slot is on its way is seen, and acted on.
func TestSlotMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, digest := w.at(w.cluster.Servers[0], "moves")
	w.done(key)
	slot, err := w.client.ClusterKeySlot(t.Context(), "reprise:"+digest).Result()
	if err != nil {
		t.Fatal(err)
	}
	w.cluster.Move(t, int(slot), 0, 1, false)
	defer w.cluster.Move(t, int(slot), 0, 1, true)
	w.wants(0, "state done", "inspect", "--digest", digest)
	w.wants(0, digest+" done", "ls")
	w.wants(0, "forgotten", "forget", "--digest", digest, "--yes")
	w.wants(3, "nothing stands under the key", "inspect", "--digest", digest) // by ASK, at the other node
}

// A pipe that closes ends the program, and nobody hears of it.
func TestPipeCloses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 20 {
		w.done(strings.Repeat("x", i+1))
	}
	for _, line := range []string{"ls | head -n 1", "watch --json --interval 100ms | head -n 1"} {
		slow := w.claimed("slow " + line)
		cmd := exec.Command("bash", "-c", program+" "+line)
		cmd.Env = w.environ
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Count(string(out), "\n") != 1 {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		close(slow.end)
	}
}

// watch tells of requests that come and end, and ends well by Ctrl-C.
func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cmd := exec.CommandContext(t.Context(), program, "watch", "--json", "--interval", "100ms")
	cmd.Env, cmd.Stderr = w.environ, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slow := w.claimed("slow")
	events := bufio.NewScanner(out)
	for _, what := range []string{"claimed", "done"} {
		var got struct{ Event, Digest string }
		if !events.Scan() || json.Unmarshal(events.Bytes(), &got) != nil || got.Event != what || got.Digest != slow.digest {
			t.Fatalf("got %s, want %s", events.Text(), what)
		}
		if what == "claimed" {
			close(slow.end)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for events.Scan() {
		t.Errorf("more: %s", events.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// A command that is interrupted ends by a status of its own.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, s := range w.cluster.Servers {
		s.Stop()
	}
	w.environ = append(w.environ, "REPRISE_LOCK_TTL=2m", "REPRISE_LOCK_TIMEOUT=50s")
	cmd := exec.CommandContext(t.Context(), program, "ls", "--timeout", "50s")
	cmd.Env = append(w.environ, "GODEBUG=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// It catches the signal once it runs: before that, the signal ends it.
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 130 && exit.ExitCode() != -1 {
		t.Errorf("it ended with %v", err)
	}
	for _, s := range w.cluster.Servers {
		s.Continue()
	}
}
