package board

import (
	"fmt"
	"time"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
	"github.com/reprise-go/reprise/lock"
)

// until is how long something is kept.
func until(d time.Duration) string {
	if d == lock.Never {
		return "never"
	}
	return screen.Age(d)
}

// brief is enough of a digest to tell it from those beside it.
func brief(digest string) string {
	if len(digest) <= 16 {
		return digest
	}
	return digest[:12] + "…"
}

// cut is a text of at most so many bytes, for where a long one would hide the others.
func cut(most int, text string) string {
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:most], len(text))
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// ping is a round trip.
func ping(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// more says that there are more than are shown.
func more(shown []row, all int64) string {
	if int64(len(shown)) >= all {
		return ""
	}
	return fmt.Sprintf("%d of %s", len(shown), screen.Thousands(all))
}
