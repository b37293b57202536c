package lock

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// Each line is what was seen of a slot: who had it, which nodes were walked, who had it then, and so on.
func TestHowFarASlotIsSeen(t *testing.T) {
	for name, tc := range map[string]struct {
		story string // a is the owner, a>b an owner with its target, - is nobody, and +a is a walk
		want  string // the node to walk next
	}{
		"unknown":                   {"-", ""},
		"not walked":                {"a", "a"},
		"walked":                    {"a +a a", ""},
		"another was walked":        {"a +b a", "a"},
		"moved meanwhile":           {"a +a b", "b"},
		"to one walked before":      {"a +b a +a b", "b"},
		"and walked again":          {"a +b a +a b +b b", ""},
		"moved while the heir was":  {"a +b b", "b"},
		"on its way":                {"a>b +a a>b", "b"},
		"on its way, both walked":   {"a>b +a a>b +b a>b", ""},
		"the target first":          {"a>b +b a>b +a a>b", "b"},
		"began meanwhile":           {"a +a a>b", "b"},
		"began meanwhile, walked":   {"a +a a>b +b a>b", ""},
		"arrived":                   {"a>b +a a>b b", "b"},
		"arrived while walked":      {"a>b +a a>b +b b", ""},
		"arrived, and not walked":   {"a>b +a b", "b"},
		"goes on from there":        {"a>b +a b>c +b b>c +c b>c", ""},
		"comes back":                {"a>b +a a>b a", "a"},
		"another way":               {"a>b +a a>c +c a>c", "a"},
		"nobody's for a time":       {"a +a - a", "a"},
		"nobody's":                  {"a -", ""},
		"its heir comes late":       {"a +a - b", "b"},
		"two walks between lists":   {"a>b +a +b a>b", ""},
		"three walks":               {"a>b +a +b +a a>b", ""},
		"two walks the other way":   {"a>b +b +a a>b", "b"},
		"seen, and moved after all": {"a +a a b", ""},
	} {
		var s slotWalk
		var walked []string
		for step := range strings.FieldsSeq(tc.story) {
			if addr, isWalk := strings.CutPrefix(step, "+"); isWalk {
				walked = append(walked, addr)
				continue
			}
			owner, target, _ := strings.Cut(strings.Trim(step, "-"), ">")
			s.update(holders{owner, target}, walked)
			walked = nil
		}
		if got := s.next(); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestNodesToWalk(t *testing.T) {
	w := newWalk(&server{}, Scan{}, minHead, nil)
	w.nodes = map[string]*redis.Client{}
	for _, addr := range []string{"owner", "seen", "target", "bare", "bare and walked", "mute", "mute and walked", "its target", "lost"} {
		w.nodes[addr] = &redis.Client{}
	}
	copy(w.slots[:], []slotWalk{
		{holders{"owner", ""}, unseen}, {holders{"seen", ""}, allSeen}, {holders{"seen", "target"}, ownerSeen},
		{holders{"mute and walked", ""}, unseen}, {holders{"mute and walked", "its target"}, ownerSeen}, {holders{"lost", ""}, unseen}, {holders{"unlisted", ""}, unseen},
	})
	w.walked = map[string]bool{"seen": false, "bare and walked": true, "mute and walked": true}
	w.silent = map[string]error{"mute": errOddReply, "mute and walked": errOddReply}
	w.givenUp["lost"] = errOddReply
	if got, want := w.toWalk(), []string{"bare", "mute", "owner", "target"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	// The next list is without some of them.
	w.sizes, w.fails = map[string]int64{}, map[string]int{"lost": 2, "owner": 1}
	for addr := range w.nodes {
		w.sizes[addr] = 5
	}
	delete(w.nodes, "lost")
	w.forget()
	if w.givenUp["lost"] != nil || w.fails["lost"] != 0 || w.fails["owner"] != 1 || w.progress.Walked != 5 || w.sizes["owner"] != 5 {
		t.Errorf("given up: %v, fails: %v, progress: %+v, sizes: %v", w.givenUp, w.fails, w.progress, w.sizes)
	}
	delete(w.nodes, "mute")
	w.nodes["heir"] = &redis.Client{}
	if w.forget(); w.progress.Walked != 5 || w.sizes["heir"] != 5 {
		t.Errorf("an heir: progress: %+v, sizes: %v", w.progress, w.sizes)
	}
}

// A node that dies when its keys have been seen is nobody's concern.
func TestFailuresOfAScan(t *testing.T) {
	var told []string
	w := newWalk(&server{}, Scan{}, minHead, func(_ Sight, err error) bool {
		node, _ := errors.AsType[*NodeError](err)
		told = append(told, node.Addr)
		return true
	})
	for i := range w.slots {
		w.slots[i] = slotWalk{holders{"dead", ""}, allSeen}
	}
	w.slots[9].holders = holders{"dead", "lost"}
	if w.hasSlots = true; !w.hasSeenAll() || w.isOpen() {
		t.Error("all has been seen")
	}
	w.silent = map[string]error{"dead": errOddReply, "mute": errOddReply}
	w.givenUp["lost"] = errOddReply
	wants := func(why string, isOpen bool, want ...string) {
		t.Helper()
		if told = nil; w.tellFailures() != nil || !slices.Equal(told, want) || w.isOpen() != isOpen {
			t.Errorf("%s: told of %q, open: %v", why, told, w.isOpen())
		}
	}
	w.slots[8] = slotWalk{holders{"lives", ""}, unseen}
	wants("one who lives has an unseen slot, and what the mute one has isn't known", true, "mute")
	w.slots[8].holders = holders{}
	wants("its owner isn't known, and may be the mute one", false, "mute")
	w.slots[8].holders = holders{"dead", ""}
	wants("it is the dead one's", false, "dead", "mute")
	w.slots[8].holders = holders{"lives", "lost"}
	wants("it is on its way to one that was given up", false, "lost", "mute")
	clear(w.silent)
	clear(w.givenUp)
	w.slots[8].holders = holders{}
	wants("who has it has to show", true)
}

// What nodes say of themselves: of two owners the one of the higher epoch has it, the owner knows best
// where it goes, and who goes by a hostname is followed to one.
func TestLayout(t *testing.T) {
	read := func(texts map[string]string) *layout {
		l := &layout{new: map[string]string{}}
		l.read(texts)
		return l
	}
	const ids = `id-b 10.0.0.2:6379@16379 master - 0 1 2 connected 5461-10922
id-new 10.0.0.9:6379@16379,host,shard=1 master - 0 1 0 connected
id-six 2001:db8::9:6380@16380 master - 0 1 0 connected
too short
`
	l := read(map[string]string{
		"A:1": "id-a 10.0.0.1:6379@16379 myself,master - 0 0 1 connected " +
			"0-5 7 [3->-id-c] [4->-id-a] [9000-<-id-b] [7->-id-new] [5->-id-six] [0->-id-unknown] [nonsense] [x->-y] [16384->-id-b] x-y 20000 8-6\n" + ids,
		"B:1":   "id-b 10.0.0.2:6379@16379 myself,master - 0 0 2 connected 4 100 [2-<-id-a] [3-<-id-a] [100-<-id-a]\n",
		"C:1":   "id-c 10.0.0.3:6379@16379 myself,master - 0 0 1 connected 100 [2-<-id-a] [3-<-id-a] [100->-id-a]\n",
		"D:1":   "",
		"blind": "nonsense",
	})
	for slot, want := range map[int]holders{
		0: {"A:1", "id-unknown"}, 1: {"A:1", ""}, 2: {"A:1", ""}, 3: {"A:1", "C:1"}, 4: {"B:1", ""},
		5: {"A:1", "[2001:db8::9]:6380"}, 6: {}, 7: {"A:1", "10.0.0.9:6379"}, 8: {}, 100: {"B:1", ""}, 9000: {},
	} {
		if got := l.slots[slot].holders; got != want {
			t.Errorf("slot %d: got %+v, want %+v", slot, got, want)
		}
	}
	if got := slices.Sorted(maps.Keys(l.new)); !slices.Equal(got, []string{"10.0.0.9:6379", "[2001:db8::9]:6380"}) {
		t.Errorf("new: %v", got)
	}
	l = read(map[string]string{
		"host-a:6379": "id-a 10.0.0.1:6379@16379,host-a myself,master - 0 0 1 connected 7 [7->-id-new]\n" + ids,
	})
	if got := l.slots[7].target; got != "host:6379" || l.new[got] != "host-a:6379" {
		t.Errorf("by hostname: %q, new: %v", got, l.new)
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
