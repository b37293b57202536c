package screen_test

import (
	"strings"
	"testing"
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
