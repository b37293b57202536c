package screen

import (
	"fmt"
	"time"
)

// Thousands is a number with commas.
func Thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Bytes is a number of bytes in a unit that leaves it below 1,024: 109 bytes, 2.5 MiB.
func Bytes(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	amount, unit := float64(n), 0
	for amount >= 1<<10 && unit < 4 {
		amount, unit = amount/(1<<10), unit+1
	}
	return fmt.Sprintf("%.1f %ciB", amount, " KMGT"[unit])
}

// Age is a time in six characters at most: 0.4s, 52s, 3m12s, 23h05m, 14d03h, 400d.
func Age(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", max(0, d).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d < 100*24*time.Hour:
		return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// Instant is a moment to the millisecond, in UTC.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 MST") }
