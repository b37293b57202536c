package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// An entry is what stands under a key, as JSON and as lines. Times are by Redis's clock.
type entry struct {
	Digest      string    `json:"digest,omitempty"`
	Redis       string    `json:"redis_key"`
	Node        string    `json:"node,omitempty"`
	State       string    `json:"state"`
	Mark        string    `json:"mark"` // of what stands there: see --mark
	Attempt     int       `json:"attempt,omitempty"`
	Fence       int64     `json:"fence,omitempty"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	Owner       string    `json:"owner,omitempty"`
	Age         int64     `json:"age_ms,omitempty"`
	Left        int64     `json:"lease_left_ms,omitempty"`
	Remembered  int64     `json:"forgotten_in_ms,omitempty"` // -1: never
	At          time.Time `json:"at"`
	Size        int64     `json:"bytes,omitempty"`
	Version     int       `json:"version,omitempty"`
	Compressed  bool      `json:"compressed,omitempty"`
	Sealed      bool      `json:"sealed,omitempty"`
	Tombstone   bool      `json:"tombstone,omitempty"`
	Fault       string    `json:"fault,omitempty"`
	Fit         []string  `json:"fit"` // what can be done about it
	Value       any       `json:"value,omitempty"`
}

func entryOf(e replay.Entry, node string) entry {
	all := entry{
		Digest: e.Digest, Redis: e.Key, Node: node, State: string(e.State), Mark: e.Mark(),
		Attempt: e.Attempt, Fence: e.Fence, Fingerprint: e.Fingerprint, Owner: e.Owner,
		Age: e.Age.Milliseconds(), Left: e.Left.Milliseconds(), Remembered: e.Remembered.Milliseconds(), At: e.At.UTC(),
		Size: e.Size, Version: e.Version, Compressed: e.Compressed, Sealed: e.Sealed, Tombstone: e.Tombstone,
		Fault: e.Fault, Fit: append([]string{}, e.Fit()...),
	}
	if e.Remembered == lock.Never {
		all.Remembered = -1
	}
	return all
}

// styles are how states look.
var styles = map[replay.KeyState]screen.Style{
	replay.KeyClaimed: screen.Good, replay.KeyAbandoned: screen.Notice, replay.KeyForeign: screen.Bad,
}

// describe writes what stands under a key: first the Redis key, which has a line of its own to fit into
// 80 columns.
func describe(to *screen.Screen, e replay.Entry, node string) {
	to.Println(screen.Strong, e.Key)
	t := &screen.Table{}
	line := func(name, format string, args ...any) {
		t.Add(screen.Cell{Text: name, Style: screen.Faint}, screen.Text(fmt.Sprintf(format, args...)))
	}
	state := string(e.State)
	if e.Attempt > 0 {
		state += fmt.Sprintf(", attempt %d", e.Attempt)
	}
	t.Add(screen.Cell{Text: "state", Style: screen.Faint}, screen.Cell{Text: state, Style: styles[e.State]})
	if node != "" {
		line("node", "%s", node)
	}
	if e.Fault != "" {
		line("fault", "%s", e.Fault)
	}
	if e.Fence > 0 {
		line("age", "%s, since %s", screen.Age(e.Age), screen.Instant(time.UnixMicro(e.Fence)))
	}
	if e.Left > 0 {
		line("lease", "%s left, unless it is renewed", screen.Age(e.Left))
	}
	switch {
	case e.Remembered == lock.Never:
		line("kept", "for ever: it has no expiry")
	case e.Remembered > 0:
		line("kept", "%s more, until %s", screen.Age(e.Remembered), screen.Instant(e.At.Add(e.Remembered)))
	}
	if e.State != replay.KeyFree {
		line("size", "%s", sizeOf(e))
	}
	if e.Fence > 0 {
		line("fence", "%d", e.Fence)
		line("owner", "%s", e.Owner)
		line("fingerprint", "%s", orNone(e.Fingerprint))
	}
	if e.State != replay.KeyFree {
		line("mark", "%s", e.Mark())
		line("can", "%s", orNone(strings.Join(e.Fit(), ", ")))
	}
	to.Print(t)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// sizeOf says what the value is, beside how long.
func sizeOf(e replay.Entry) string {
	text := screen.Bytes(e.Size)
	if e.State != replay.KeyDone {
		return text
	}
	text += fmt.Sprintf(" of format %d", e.Version)
	if e.Compressed {
		text += ", compressed"
	}
	if e.Sealed {
		text += ", sealed"
	}
	if e.Tombstone {
		text += ", a tombstone: it ran, and its answer was not kept"
	}
	return text
}

// look inspects what the flags name.
func (p *program) look(ctx context.Context, s *site, by *selector) (replay.Entry, string, error) {
	digest := by.digest
	if digest == "" {
		scope, key, err := by.read(ctx, p.Stdin)
		if err != nil {
			return replay.Entry{}, "", err
		}
		digest = s.engine.Digest(scope, key)
	} else if by.key != "" || by.scope != "" {
		return replay.Entry{}, "", misuse("--digest: want it, or --scope and --key, and not both")
	}
	digest = strings.TrimPrefix(digest, s.cfg.Prefix+":")
	if strings.Contains(digest, ":") {
		return replay.Entry{}, "", &fault{misused, fmt.Errorf("--digest: got a Redis key of another prefix, want one of %q", s.cfg.Prefix+":"),
			"set " + p.prefix + "REPLAY_PREFIX to what stands before the last colon"}
	}
	e, err := s.engine.InspectDigest(ctx, digest)
	if bad, ok := errors.AsType[*replay.ConfigError](err); ok {
		return e, "", misuse("--digest: got %s, want %s", bad.Value, bad.Want)
	} else if err != nil {
		return e, "", s.unavailable(ctx, "inspect the key", s.cfg.Prefix+":"+digest, err)
	}
	n, _ := s.nodeOf(ctx, e.Key) // which has just answered
	return e, n.addr, nil
}
