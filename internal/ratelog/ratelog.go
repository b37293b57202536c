// Package ratelog limits how often each kind of log line is written: a fault of Redis meets all
// requests alike, and must not fill the log with one line for each.
package ratelog

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Every is the shortest time between two lines of one kind.
const Every = time.Minute

// A Log writes to a Logger, one line of each kind within Every. It has no goroutine and no timer:
// the next line of a kind tells how many were left out before it. It is safe for concurrent use.
type Log struct {
	to *slog.Logger

	mu    sync.Mutex
	kinds map[kind]*written
}

// A Line is what a package has to tell an operator. docs/telemetry.md has the table of all.
type Line struct {
	Event string // its name, which stays when the text is worded anew: the attribute "event"
	Level slog.Level
	Text  string
}

// Warn and Error make lines of these levels. The text must not hold anything of a request.
func Warn(event, text string) Line  { return Line{event, slog.LevelWarn, text} }
func Error(event, text string) Line { return Line{event, slog.LevelError, text} }

// Attr is the attribute that names the line's event.
func (l Line) Attr() slog.Attr { return slog.String("event", l.Event) }

// A kind is a line and its cause. Causes are the words of fault.Cause, so there are few kinds.
type kind struct {
	line  Line
	cause string
}

// written tells when the last line of a kind was written.
type written struct {
	at   time.Time
	more int // lines that were left out since then
}

// New returns a Log that writes to a Logger. A nil Log writes nothing.
func New(to *slog.Logger) *Log {
	return &Log{to: to, kinds: map[kind]*written{}}
}

// Write writes a line with its cause, unless a line of that kind has been written within Every. The
// attribute "more" is how many lines of the kind were left out before this one. The cause must not
// hold anything of a request.
func (l *Log) Write(line Line, cause string, attrs ...slog.Attr) {
	if l == nil || !l.to.Enabled(context.Background(), line.Level) {
		return
	}
	more, due := l.due(kind{line, cause}, time.Now())
	if !due {
		return
	}
	attrs = append(attrs, line.Attr(), slog.String("cause", cause))
	if more > 0 {
		attrs = append(attrs, slog.Int("more", more))
	}
	l.to.LogAttrs(context.Background(), line.Level, line.Text, attrs...)
}

// due reports whether a line is to be written now, and how many were left out before it.
func (l *Log) due(k kind, now time.Time) (more int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.kinds[k]
	switch {
	case !known:
		l.kinds[k] = &written{at: now}
		return 0, true
	case now.Sub(last.at) < Every:
		last.more++
		return 0, false
	}
	more = last.more
	*last = written{at: now}
	return more, true
}
