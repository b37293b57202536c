package screen_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
)

// Whatever comes in, a terminal gets nothing that it would do.
func FuzzPlain(f *testing.F) {
	for _, text := range []string{"", "order-1", "\x1b]0;title\a", "\u009b2J", "a\u202eb", "\xff\xfe", "tab\tline\nreturn\r", "é 漢 🙂"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := screen.Plain(text)
		if !utf8.ValidString(got) {
			t.Errorf("%q: %q is no UTF-8", text, got)
		}
		for _, r := range got {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e {
				t.Errorf("%q: %q has %U", text, got, r)
			}
		}
	})
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"order-1 é 漢 🙂":    "order-1 é 漢 🙂",
		"\x1b[2J\a":        `\x1b[2J\x07`,
		"a\u009b2J":        `a\x9b2J`,
		"a\u202eb\u200d":   `a\u202eb\u200d`,
		"\xffa":            `\xffa`,
		"one\ntwo\tx\r":    `one\ntwo\tx\r`,
		"soft\u00adhyphen": `soft\xadhyphen`,
	} {
		if got := screen.Plain(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"one two three", "one two|three"},
		{"  spaces   between  ", "spaces|between"},
		{"abcdefghijklmno pq", "abcdefghijklmno|pq"},
		{"of digits: 0123456789abcdef", "of digits:|0123456789abcdef"},
	} {
		if got := strings.Join(screen.Wrap(tt.text, 10), "|"); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

// A table fits into 80 columns, where nobody says another width, and has no colours there.
func TestTable(t *testing.T) {
	var b strings.Builder
	s := screen.New(&b, nil)
	table := &screen.Table{Head: []string{"node", "cure"}}
	table.Add(screen.Cell{Text: "127.0.0.1:7001", Style: screen.Bad}, screen.Text(strings.Repeat("words ", 30)))
	table.Add(screen.Text("a\nb"), screen.Text("one"))
	s.Print(table)
	for line := range strings.Lines(b.String()) {
		if line = strings.TrimSuffix(line, "\n"); len(line) > 80 || strings.Contains(line, "\x1b") || strings.HasSuffix(line, " ") {
			t.Errorf("%q", line)
		}
	}
	if got := b.String(); !strings.HasPrefix(got, "node            cure\n127.0.0.1:7001  words words") || !strings.HasSuffix(got, "\na\\nb            one\n") {
		t.Errorf("got\n%s", got)
	}
}

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{"": 0, "order-1": 7, "漢字": 4, "é": 1, "e\u0301": 1, "ｗ": 2, "🙂": 2} {
		if got := screen.Width(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
	for text, want := range map[string]string{"abcd": "abcd", "abcde": "abc…", "漢字": "漢字", "漢字漢": "漢…", "": ""} {
		if got := screen.Cut(text, 4); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestAmounts(t *testing.T) {
	for got, want := range map[string]string{
		screen.Thousands(999):                      "999",
		screen.Thousands(1_234_567):                "1,234,567",
		screen.Bytes(0):                            "0 bytes",
		screen.Bytes(1023):                         "1023 bytes",
		screen.Bytes(1024):                         "1.0 KiB",
		screen.Bytes(5 << 19):                      "2.5 MiB",
		screen.Bytes(3 << 40):                      "3.0 TiB",
		screen.Bytes(1 << 62):                      "4194304.0 TiB",
		screen.Age(-time.Second):                   "0.0s",
		screen.Age(400 * time.Millisecond):         "0.4s",
		screen.Age(52 * time.Second):               "52s",
		screen.Age(3*time.Minute + 12*time.Second): "3m12s",
		screen.Age(23*time.Hour + 5*time.Minute):   "23h05m",
		screen.Age(14*24*time.Hour + 3*time.Hour):  "14d03h",
		screen.Age(400*24*time.Hour + 3*time.Hour): "400d",
		screen.Instant(time.UnixMilli(1).Local()):  "1970-01-01 00:00:00.001 UTC",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
