package ratelog

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// logTo returns a Log and what it has written since the last call of lines.
func logTo(level slog.Level) (l *Log, lines func() []string) {
	var text bytes.Buffer
	l = New(slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	return l, func() []string {
		all := strings.FieldsFunc(text.String(), func(r rune) bool { return r == '\n' })
		text.Reset()
		return all
	}
}

func TestEachKindIsWrittenOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, lines := logTo(slog.LevelInfo)
		want := func(want ...string) {
			t.Helper()
			if got := lines(); strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("wrote %q, want %q", got, want)
			}
		}
		for range 100 {
			l.Write(Warn("refused-event", "refused"), "OOM")
			time.Sleep(Every / 200)
		}
		want("level=WARN msg=refused event=refused-event cause=OOM")
		l.Write(Warn("refused-event", "refused"), "NOPERM", slog.Int("n", 1)) // another cause, or text, is another kind
		l.Write(Error("lost-event", "lost"), "OOM")
		want("level=WARN msg=refused n=1 event=refused-event cause=NOPERM", "level=ERROR msg=lost event=lost-event cause=OOM")
		time.Sleep(Every)
		l.Write(Warn("refused-event", "refused"), "OOM")
		want("level=WARN msg=refused event=refused-event cause=OOM more=99")
		time.Sleep(Every)
		l.Write(Warn("refused-event", "refused"), "OOM")
		want("level=WARN msg=refused event=refused-event cause=OOM")
	})
}

func TestNothingIsWrittenWithoutALogger(t *testing.T) {
	var none *Log
	none.Write(Error("text-event", "text"), "cause")
	New(slog.New(slog.DiscardHandler)).Write(Error("text-event", "text"), "cause")
	l, lines := logTo(slog.LevelError)
	l.Write(Warn("text-event", "text"), "cause")
	if got := lines(); len(got) != 0 || len(l.kinds) != 0 {
		t.Errorf("wrote %q", got)
	}
}

func TestConcurrentWritersAreOneKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, lines := logTo(slog.LevelInfo)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { l.Write(Warn("text-event", "text"), "cause") })
		}
		wg.Wait()
		if got := lines(); len(got) != 1 {
			t.Errorf("wrote %q", got)
		}
		time.Sleep(Every)
		l.Write(Warn("text-event", "text"), "cause")
		if got := lines(); len(got) != 1 || !strings.Contains(got[0], "more=49") {
			t.Errorf("wrote %q", got)
		}
	})
}
