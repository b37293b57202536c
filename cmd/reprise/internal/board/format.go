package board

import (
	"fmt"
	"time"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
	"github.com/reprise-go/reprise/lock"
)

// age is a time in a few letters, of which a column can be read: 4.2s, 52s, 3m 12s, 5h 03m, 14d 03h.
func age(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", max(0, d).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm %02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh %02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd %02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// until is how long something is kept.
func until(d time.Duration) string {
	if d == lock.Never {
		return "never"
	}
	return age(d)
}

// size is a number of bytes in a unit that leaves it below 1,000 or so.
func size(n int64) string {
	switch v := float64(n); {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", v/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", v/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", v/(1<<30))
	}
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
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 MST") }

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
