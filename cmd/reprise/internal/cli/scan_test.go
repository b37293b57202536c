package cli_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/cmd/reprise/internal/cli"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
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
			var l struct {
				Digest string
				Redis  string `json:"redis_key"`
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil || l.Digest != "" && l.Redis != "reprise:"+l.Digest {
				t.Fatal(err, line)
			}
			all = append(all, cmp.Or(l.Digest, l.Redis))
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
	if got := w.run("", "ls", "--limit", "2", "--json"); got.stderr != `{"notice":"the oldest 2 of 9: --limit 0 shows all"}`+"\n" {
		t.Errorf("got %+v", got)
	}
	long := "reprise:" + strings.Repeat("x", 100)
	if err := w.redis.Set(long, "x"); err != nil {
		t.Fatal(err)
	}
	if got := w.wants(0, long+" foreign", "ls").stdout; !strings.Contains(got, "\n"+dead+" abandoned ") {
		t.Errorf("a long name isn't whole, or moves the others:\n%s", got)
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
			State      string
			Keys       int64
			Estimate   int64 `json:"estimated_keys"`
			Bytes      int64
			Oldest     int64 `json:"oldest_ms"`
			Retried    int64 `json:"attempts_above_1"`
			Sealed     int64
			Compressed int64
			Tombs      int64 `json:"tombstones"`
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

// Two services share a Redis, and the prefix of one begins with that of the other: what ls prints of one
// leads to no key of the other.
func TestKeysOfAnotherPrefix(t *testing.T) {
	w := newWorld(t)
	orders := w.engine(func(c *replay.Config) { c.Prefix = "reprise:orders" })
	digest := w.done(w.engine(), "order-1", answer{Status: 201})
	theirs := "reprise:orders:" + w.abandoned(orders, "order-1")
	type listed struct {
		Digest string
		Redis  string `json:"redis_key"`
	}
	for _, args := range [][]string{{"--state", "abandoned"}, {"--prefix", "reprise:orders"}} {
		var got listed
		out := w.wants(0, "", append([]string{"ls", "--json"}, args...)...).stdout
		if err := json.Unmarshal([]byte(out), &got); err != nil || got != (listed{Redis: theirs}) {
			t.Errorf("%q: %v, got %s", args, err, out)
		}
		w.wants(0, theirs, append([]string{"ls"}, args...)...)
	}
	w.wants(2, `want one of "reprise:"`, "forget", "--digest", theirs, "--yes")
	if got := w.inspect(0, "--digest", digest); got.State != "done" {
		t.Errorf("our own is %+v", got)
	}
	w.environ = append(w.environ, "REPRISE_REPLAY_PREFIX=reprise:orders")
	w.wants(0, "released", "release", "--digest", theirs, "--yes", "--json")
}

// Claims that are no engine's are told apart, and their end is told.
func TestWatchOfLocks(t *testing.T) {
	w := newWorld(t)
	client := redis.NewClient(&redis.Options{Addr: w.redis.Addr(), ContextTimeoutEnabled: true})
	defer client.Close()
	locker, err := lock.New(client, lock.Config{Pipeline: lock.PipelineOff})
	if err != nil {
		t.Fatal(err)
	}
	var leases []*lock.Lease
	keys := []string{"reprise:job-1", "reprise:job-2"}
	for _, key := range keys {
		lease, err := locker.TryAcquire(t.Context(), key, lock.Terms{})
		if err != nil {
			t.Fatal(err)
		}
		leases = append(leases, lease)
	}
	wants := w.watch()
	wants("claimed", keys[0])
	wants("claimed", keys[1])
	for i, lease := range leases {
		if err := lease.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		wants("ended", keys[i])
	}
}

// watch runs the command until the test ends. What it returns waits for an event of a Redis key.
func (w *world) watch(args ...string) (wants func(event, key string)) {
	w.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, stdout := io.Pipe()
	var stderr strings.Builder
	ended := make(chan int)
	go func() {
		ended <- cli.Run(ctx, cli.Process{Args: append([]string{"watch", "--json", "--interval", "100ms"}, args...), Environ: w.environ,
			Stdin: strings.NewReader(""), Stdout: stdout, Stderr: &stderr})
		_ = stdout.Close()
	}()
	w.Cleanup(func() {
		stop()
		go func() { _, _ = io.Copy(io.Discard, out) }()
		if status := <-ended; status != 0 || stderr.Len() > 0 {
			w.Errorf("it ended with %d: %s", status, stderr.String())
		}
	})
	events := bufio.NewScanner(out)
	return func(event, key string) {
		w.Helper()
		var got struct {
			Event string
			Redis string `json:"redis_key"`
		}
		if !events.Scan() || json.Unmarshal(events.Bytes(), &got) != nil || got.Event != event || got.Redis != key {
			w.Fatalf("got %s, want %s of %s", events.Text(), event, key)
		}
	}
}

// watch tells what comes and what becomes of it, and ends well when it is told to.
func TestWatch(t *testing.T) {
	w := newWorld(t)
	wants := w.watch()
	digest := w.claimed(w.engine(), "slow")
	wants("claimed", "reprise:"+digest)
	if got := w.wants(0, "abandoned", "abandon", "--digest", digest, "--yes"); got.status != 0 {
		t.Fatal(got)
	}
	wants("abandoned", "reprise:"+digest)
	w.wants(2, "want at least 100ms", "watch", "--interval", "1ms")
	w.wants(0, "", "watch", "--timeout", "2s")
}
