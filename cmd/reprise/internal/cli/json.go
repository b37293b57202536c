package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
)

// print writes a result: as JSON, or as human does it.
func (p *program) print(result any, human func()) {
	if !p.json {
		human()
		return
	}
	p.encode(result, "  ")
}

// line writes one of many results as a line of JSON.
func (p *program) line(result any) {
	p.encode(result, "")
}

func (p *program) encode(result any, indent string) {
	e := json.NewEncoder(safe{p.out})
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	p.out.Fail(e.Encode(result))
}

// escaped escapes in JSON what encoding/json leaves as it is, and a terminal may obey: DEL, the control
// characters of ISO 8859-1, and what turns the direction of writing.
func escaped(text string) string {
	unsafe := func(r rune) bool { return r != '\n' && screen.IsUnsafe(r) }
	if strings.IndexFunc(text, unsafe) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !unsafe(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
