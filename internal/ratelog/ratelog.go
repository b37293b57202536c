// Package ratelog writes each kind of log line once in a while, not once a request: what is wrong with
// Redis is wrong for all requests alike.
package ratelog

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Every is how often a line of one kind is written at most.
const Every = time.Minute

// A Log writes to a Logger. It has no goroutine and no timer: what it leaves out is told by the next
// line of the same kind. It is safe for concurrent use.
type Log struct {
	to *slog.Logger

	mu    sync.Mutex
	kinds map[kind]*written
}

// A kind is a line's text and its cause. There are as many as there are texts and words of
// fault.Cause, so that the map stays small.
type kind struct{ text, cause string }

type written struct {
	at   time.Time
	more int // lines left out since
}

// New returns a Log that writes to a Logger. A nil Log writes nothing.
func New(to *slog.Logger) *Log {
	return &Log{to: to, kinds: map[kind]*written{}}
}

// Write writes a line with its cause, unless it has written one of that kind within Every. The attribute
// "more" is how many have been left out since that one. Neither text nor cause may have anything of a
// request in it.
func (l *Log) Write(level slog.Level, text, cause string, attrs ...slog.Attr) {
	if l == nil || !l.to.Enabled(context.Background(), level) {
		return
	}
	more, due := l.due(kind{text, cause}, time.Now())
	if !due {
		return
	}
	attrs = append(attrs, slog.String("cause", cause))
	if more > 0 {
		attrs = append(attrs, slog.Int("more", more))
	}
	l.to.LogAttrs(context.Background(), level, text, attrs...)
}

// due reports whether a line is to be written now, and how many before it were not.
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
