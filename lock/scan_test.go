package lock

import (
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestPathsOfSlots(t *testing.T) {
	for name, tc := range map[string]struct {
		seen []holders
		want string
	}{
		"stays":               {[]holders{{"a", ""}, {"a", ""}}, "a"},
		"moves":               {[]holders{{"a", ""}, {"b", ""}}, "a b"},
		"on its way":          {[]holders{{"a", "b"}, {"a", "b"}, {"b", ""}, {"b", ""}}, "a b"},
		"comes back":          {[]holders{{"a", "b"}, {"a", ""}, {"a", "b"}}, "a b a b"},
		"goes on":             {[]holders{{"a", "b"}, {"b", "c"}, {"c", ""}}, "a b c"},
		"another way":         {[]holders{{"a", "b"}, {"a", "c"}}, "a b a c"},
		"nobody's for a time": {[]holders{{"a", ""}, {"", ""}, {"b", ""}}, "a b"},
		"only coming":         {[]holders{{"", "b"}, {"b", ""}}, "b"},
	} {
		var path []string
		for _, h := range tc.seen {
			path = follow(path, h)
		}
		if got := strings.Join(path, " "); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

// Along a slot's way, each node has to be walked after the one before it.
func TestNextToWalk(t *testing.T) {
	for name, tc := range map[string]struct {
		path  string
		walks string // in turn; - is when the node that has gone went
		want  string // the node to walk next
	}{
		"nothing walked":        {"a", "", "a"},
		"walked":                {"a", "a", ""},
		"in order":              {"a b", "a b", ""},
		"against it":            {"a b", "b a", "b"},
		"against it, again":     {"a b", "b a b", ""},
		"two steps":             {"a b c", "c b a", "b"},
		"two steps, one left":   {"a b c", "c b a b", "c"},
		"there and back":        {"a b a", "a b", "a"},
		"a node that has gone":  {"gone a", "- a", ""},
		"to one walked before":  {"gone a", "a -", "a"},
		"and again":             {"gone a", "a - a", ""},
		"walked before it went": {"gone a", "gone a -", ""},
		"gone and back":         {"a gone a", "a - a", ""},
		"to the next one":       {"gone b a", "a - b", "a"},
		"one given up":          {"a lost b", "a b", ""},
	} {
		w := newWalk(&server{}, Scan{}, minHead, nil)
		w.nodes = map[string]*redis.Client{"a": {}, "b": {}, "c": {}, "lost": {}}
		w.givenUp["lost"] = errOddReply
		for _, addr := range strings.Fields(tc.walks) {
			if addr == "-" {
				w.gone["gone"] = w.clock
				continue
			}
			w.walks[addr] = append(w.walks[addr], span{w.clock + 1, w.clock + 2})
			w.clock += 2
		}
		if got := w.nextToWalk(strings.Fields(tc.path)); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestLayoutOfANode(t *testing.T) {
	const text = `id-b 10.0.0.2:6379@16379 master - 0 1 2 connected 5461-10922
id-a 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-5 7 [3->-id-b] [9000-<-id-b] [7->-id-new] [nonsense] x-y 20000 8-6
id-new 10.0.0.9:6379@16379,host master - 0 1 0 connected
`
	l := &layout{new: map[string]string{}}
	line := strings.Fields(strings.Split(text, "\n")[1])
	if !isMyself(line) || isMyself(strings.Fields(strings.Split(text, "\n")[0])) {
		t.Error("which line is the node's own?")
	}
	for _, slots := range line[8:] {
		l.add("A", slots, func(id string) string { return l.addrOf(id, map[string]string{"id-b": "B"}, "A", text) })
	}
	for slot, want := range map[int]holders{
		0: {"A", ""}, 3: {"A", "B"}, 5: {"A", ""}, 6: {}, 7: {"A", "10.0.0.9:6379"}, 8: {}, 9000: {"", "A"},
	} {
		if l.slots[slot] != want {
			t.Errorf("slot %d: got %+v, want %+v", slot, l.slots[slot], want)
		}
	}
	if len(l.new) != 1 || l.new["10.0.0.9:6379"] != "A" {
		t.Errorf("new: %v", l.new)
	}
}

func TestPatternOfAPrefix(t *testing.T) {
	for _, prefix := range []string{"reprise:", `a*b?[c]\:`, ""} {
		p := pattern(prefix)
		if ok, err := path.Match(p, prefix+"0123"); !ok || err != nil {
			t.Errorf("%q doesn't match %q: %v", p, prefix, err)
		}
		if ok, _ := path.Match(p, "x"+prefix); ok && prefix != "" {
			t.Errorf("%q matches another prefix", p)
		}
	}
}

// A scan keeps to its rate, and doesn't make up for lost time.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace{rate: 1000}
		begun := time.Now()
		for range 50 {
			if !p.wait(t.Context(), 100) {
				t.Fatal("ended")
			}
		}
		time.Sleep(time.Minute)
		for range 10 {
			p.wait(t.Context(), 100)
		}
		if took := time.Since(begun); took != time.Minute+5800*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		p.rate = Unbounded
		if begun = time.Now(); !p.wait(t.Context(), 1e9) || time.Since(begun) != 0 {
			t.Error("unbounded, and it waits")
		}
	})
}

func TestSightsThatAreNone(t *testing.T) {
	whole := []any{int64(8), int64(3), int64(-1), "abc", "abc", int64(1), int64(2)}
	if _, ok := parseSight(whole); !ok {
		t.Fatal("a sight is refused")
	}
	for i := 1; i < len(whole); i++ {
		bad := slices.Clone(whole)
		bad[i] = 1.5
		if _, ok := parseSight(bad); ok {
			t.Errorf("field %d: accepted", i)
		}
		if _, ok := parseSight(whole[:i]); ok {
			t.Errorf("%d fields: accepted", i)
		}
	}
}
