package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
	"github.com/reprise-go/reprise/lock"
)

// A progress is a bar on a terminal, for what takes long; elsewhere it is nothing.
type progress struct {
	to     *screen.Screen
	begun  time.Time
	last   time.Time
	drawn  bool
	silent bool
}

const (
	patience = 500 * time.Millisecond // before the bar comes
	redraw   = 100 * time.Millisecond
)

func newProgress(to *screen.Screen) *progress {
	return &progress{to: to, begun: time.Now(), silent: !to.IsTerminal()}
}

func (b *progress) show(now lock.Progress, found int) {
	t := time.Now()
	if b.silent || t.Sub(b.begun) < patience || t.Sub(b.last) < redraw {
		return
	}
	b.last, b.drawn = t, true
	width, _ := b.to.Size()
	_, _ = fmt.Fprint(b.to, "\r\x1b[K"+bar(now, found, t.Sub(b.begun), width-1))
}

func (b *progress) clear() {
	if b.drawn {
		_, _ = fmt.Fprint(b.to, "\r\x1b[K")
	}
}

// bar is a line of at most so many columns.
func bar(now lock.Progress, found int, took time.Duration, width int) string {
	share := 0.0
	if now.Total > 0 {
		share = min(1, float64(now.Walked)/float64(now.Total))
	}
	text := fmt.Sprintf("%3.0f%%  %s of %s keys, %s found", share*100, screen.Thousands(now.Walked), screen.Thousands(now.Total), screen.Thousands(int64(found)))
	if share > 0.01 {
		text += ", " + screen.Age(time.Duration(float64(took)*(1-share)/share)) + " to go"
	}
	if room := width - len(text) - 4; room >= 10 {
		full := int(share * float64(room))
		text = "[" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "]  " + text
	}
	return text[:min(len(text), width)]
}
