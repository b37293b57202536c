package reprise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/lock"
)

// Every command, once, where all is well.
func TestCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	addrs := []string{w.cluster.Servers[0].Addr, w.cluster.Servers[1].Addr, w.cluster.Servers[2].Addr}
	var known []string // digests, the oldest first
	for i := range 30 {
		known = append(known, w.done(fmt.Sprint("paid-", i)))
	}
	dead := w.dead("dead")
	slow := w.claimed("slow")

	t.Run("env", func(t *testing.T) {
		w.wants(0, "REPRISE_LOCK_TTL=6s", "env", "--set")
	})
	t.Run("version", func(t *testing.T) {
		w.wants(0, "github.com/redis/go-redis/v9 v9.", "version")
	})
	t.Run("key", func(t *testing.T) {
		type place struct {
			Digest, Node string
			Slot         int
		}
		got := one[place](t, w.wants(0, "", "key", "--scope", "acme", "--key", "paid-0", "--json").stdout)
		slot, err := w.client.ClusterKeySlot(t.Context(), "reprise:"+got.Digest).Result()
		if err != nil || got.Digest != known[0] || got.Slot != int(slot) || got.Node != w.cluster.Primary(int(slot)).Addr {
			t.Errorf("%v: got %+v, and the cluster says slot %d", err, got, slot)
		}
	})
	t.Run("check", func(t *testing.T) {
		got := w.wants(0, "", "check")
		for _, addr := range addrs {
			if !strings.Contains(got.stdout, addr+"  ok\n") {
				t.Errorf("it says nothing of %s: %v", addr, got)
			}
		}
		evicts := w.cluster.Servers[1]
		if err := evicts.Admin.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err(); err != nil {
			t.Fatal(err)
		}
		defer evicts.Admin.ConfigSet(t.Context(), "maxmemory-policy", "noeviction")
		w.wants(5, evicts.Addr+" maxmemory-policy got allkeys-lru, want noeviction", "check")
		w.wants(5, "NOT OK settings maxmemory-policy: got allkeys-lru", "doctor")
	})
	t.Run("doctor", func(t *testing.T) {
		before := w.keys(t)
		got := w.wants(0, "all nodes ok clocks 6 nodes within", "doctor")
		for _, words := range []string{"first request  2 round trips, ", "replay         1 round trip, ", "scripts        each runs", "channels       what scripts publish is heard"} {
			if strings.Count(got.stdout, "  ok  "+words) != 3 {
				t.Errorf("no three of %q: %v", words, got)
			}
		}
		if after := w.keys(t); after != before {
			t.Errorf("it left %d keys behind", after-before)
		}
	})
	t.Run("inspect", func(t *testing.T) {
		w.wants(0, "state done", "inspect", "--digest", known[0])
		w.wants(0, "state abandoned, attempt 1", "inspect", "--scope", "acme", "--key", "dead")
		w.wants(0, "state claimed, attempt 1", "inspect", "--scope", "acme", "--key", "slow")
		w.wants(0, `value "paid"`, "inspect", "--digest", known[0], "--reveal")
		w.wants(3, "nothing stands under the key", "inspect", "--scope", "acme", "--key", "none")
	})
	t.Run("ls", func(t *testing.T) {
		type listed struct{ Digest, State, Node string }
		all := lines[listed](t, w.wants(0, "", "ls", "--json").stdout)
		want := append(slices.Clone(known), dead, slow.digest)
		var got []string
		for _, l := range all {
			got = append(got, l.Digest)
			if !slices.Contains(addrs, l.Node) {
				t.Errorf("got %+v", l)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%q, want\n%q", got, want)
		}
		if out := w.wants(0, "", "ls", "--state", "abandoned,claimed").stdout; strings.Count(out, "\n") != 3 || !strings.Contains(out, dead+" abandoned ") {
			t.Errorf("got %s", out)
		}
	})
	t.Run("stats", func(t *testing.T) {
		type census struct {
			Keys   int
			States []struct {
				State string
				Keys  int
			}
			Nodes []struct {
				Node     string
				Memory   int64
				Replicas int
			}
		}
		got := one[census](t, w.wants(0, "", "stats", "--json").stdout)
		if got.Keys != 32 || len(got.Nodes) != 3 || got.Nodes[0].Memory == 0 || got.Nodes[0].Replicas != 1 {
			t.Errorf("got %+v", got)
		}
		w.wants(0, "done 30 ", "stats")
		w.wants(0, "state sampled about", "stats", "--sample", "3")
	})
	t.Run("acts", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "acts.log")
		w.wants(0, "forgotten", "forget", "--digest", known[0], "--yes", "--audit", file)
		w.wants(0, "released", "release", "--digest", dead, "--yes", "--audit", file)
		w.wants(0, "abandoned", "abandon", "--digest", slow.digest, "--yes", "--audit", file)
		if err := <-slow.lost; !errors.Is(err, lock.ErrLost) {
			t.Errorf("the live request was told %v, want that its lease is lost", err)
		}
		for _, digest := range []string{known[0], dead} {
			w.wants(3, "", "inspect", "--digest", digest)
		}
		kept, err := os.ReadFile(file)
		if err != nil || strings.Count(string(kept), "\n") != 3 || !strings.Contains(string(kept), `"verb":"abandon","digest":"`+slow.digest) {
			t.Errorf("%v: the audit file has\n%s", err, kept)
		}
	})
}

// keys is how many there are in the whole cluster.
func (w *world) keys(t *testing.T) (n int64) {
	t.Helper()
	for _, s := range w.cluster.Servers[:3] {
		size, err := s.Admin.DBSize(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		n += size
	}
	return n
}
