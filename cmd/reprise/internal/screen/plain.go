package screen

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain returns text with every rune escaped that could do anything but stand there: control
// characters, those that turn the direction of writing, and bytes that are no UTF-8. A new line and a
// tab are escaped too, so that no value can pretend to be another line of ours.
func Plain(text string) string {
	if strings.IndexFunc(text, IsUnsafe) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i, size := 0, 0; i < len(text); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case IsUnsafe(r) && r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case IsUnsafe(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// IsUnsafe tells whether a rune could do anything but stand there: whatever Unicode calls no graphic
// character, which leaves spaces, and the formats, among which are those of writing from right to left.
func IsUnsafe(r rune) bool { return !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) }

// Wrap breaks text into lines of at most width columns, at spaces. A word that is longer has a line of its
// own, and stays whole: it may be there to be copied.
func Wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case Width(line)+1+Width(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}
