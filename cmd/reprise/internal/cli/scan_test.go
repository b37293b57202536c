package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/cmd/reprise/internal/cli"
)

func TestList(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	var done []string
	for i := range 5 {
		done = append(done, w.done(e, fmt.Sprint("paid-", i), answer{Status: 201}))
	}
	claimed, dead := w.claimed(e, "slow"), w.abandoned(e, "dead")
	w.abandoned(e, "twice")
	twice := w.abandoned(e, "twice")
	if err := w.redis.Set("reprise:odd", hostile); err != nil {
		t.Fatal(err)
	}
	if err := w.redis.Set("others", "xyz"); err != nil {
		t.Fatal(err)
	}
	digests := func(args ...string) (all []string) {
		t.Helper()
		for line := range strings.Lines(w.wants(0, "", append([]string{"ls", "--json"}, args...)...).stdout) {
			var l struct{ Digest string }
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			all = append(all, l.Digest)
		}
		return all
	}
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"", append(append([]string{}, done...), claimed, dead, twice, "reprise:odd")},
		{"--state done", done},
		{"--state claimed,abandoned", []string{claimed, dead, twice}},
		{"--state abandoned --attempt 2", []string{twice}},
		{"--limit 3", done[:3]},
		{"--older-than 1h", nil},
		{"--prefix other", nil},
	} {
		if got := digests(strings.Fields(tt.args)...); strings.Join(got, " ") != strings.Join(tt.want, " ") {
			t.Errorf("ls %s: got %q, want %q", tt.args, got, tt.want)
		}
	}
	if got := w.wants(0, "the oldest 2 of 9: --limit 0 shows all", "ls", "--limit", "2").stdout; strings.Count(got, "\n") != 3 {
		t.Errorf("got %s", got)
	}
	w.wants(2, "want claimed, abandoned, done, foreign", "ls", "--state", "free")
	w.wants(2, "--rate: got -2", "ls", "--rate", "-2")
	w.dead()
	w.wants(1, "in part: ", "ls")
}

func TestStats(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	for i := range 50 {
		w.done(e, fmt.Sprint("paid-", i), answer{Status: 201})
	}
	w.claimed(e, "slow")
	w.abandoned(e, "dead")
	w.abandoned(e, "dead")
	type census struct {
		Sample int
		Keys   int64
		States []struct {
			State    string
			Keys     int64
			Estimate int64 `json:"estimated_keys"`
			Bytes    int64
			Oldest   int64 `json:"oldest_ms"`
			Retried  int64 `json:"attempts_above_1"`
			Sealed   int64
			Squeezed int64 `json:"compressed"`
			Tombs    int64 `json:"tombstones"`
		}
		Nodes []struct {
			Node, Fault                            string
			Keys, Counted, Memory, Limit, Replicas int64
		}
	}
	all := decode[census](t, w.wants(0, "", "stats", "--json").stdout)
	if all.Keys != 52 || len(all.Nodes) != 1 || all.Nodes[0].Keys != 52 {
		t.Errorf("got %+v", all)
	}
	for i, want := range []int64{1, 1, 50, 0} {
		if s := all.States[i]; s.Keys != want || (s.Bytes > 0) != (want > 0) || s.State == "abandoned" && s.Retried != 1 {
			t.Errorf("got %+v", s)
		}
	}
	part := decode[census](t, w.wants(0, "", "stats", "--json", "--sample", "10").stdout)
	if about := part.States[2].Estimate; part.Keys != 10 || about < 40 || about > 52 {
		t.Errorf("a sample of 10 of 52: got %+v", part)
	}
	w.wants(0, "1 of a second attempt or later", "stats")
	w.wants(2, "--sample: got -1", "stats", "--sample", "-1")
	w.dead()
	w.wants(1, "in part: keys are missing above", "stats")
}

// watch tells what comes and what becomes of it, and ends well when it is told to.
func TestWatch(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	ctx, stop := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	var stderr strings.Builder
	ended := make(chan int)
	go func() {
		ended <- cli.Run(ctx, cli.Process{Args: []string{"watch", "--json", "--interval", "100ms"}, Environ: w.environ, Stdin: strings.NewReader(""), Stdout: stdout, Stderr: &stderr})
		_ = stdout.Close()
	}()
	events := bufio.NewScanner(out)
	wants := func(what, digest string) {
		t.Helper()
		var got struct{ Event, Digest string }
		if !events.Scan() || json.Unmarshal(events.Bytes(), &got) != nil || got.Event != what || got.Digest != digest {
			t.Fatalf("got %s, want %s", events.Text(), what)
		}
	}
	digest := w.claimed(e, "slow")
	wants("claimed", digest)
	if got := w.wants(0, "abandoned", "abandon", "--digest", digest, "--yes"); got.status != 0 {
		t.Fatal(got)
	}
	wants("abandoned", digest)
	stop()
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if status := <-ended; status != 0 || stderr.Len() > 0 {
		t.Errorf("it ended with %d: %s", status, stderr.String())
	}
	w.wants(2, "want at least 100ms", "watch", "--interval", "1ms")
	w.wants(0, "", "watch", "--timeout", "300ms")
}
