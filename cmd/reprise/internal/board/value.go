package board

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
)

// maxShown bounds what a page shows of a text, in bytes.
const maxShown = 64 << 10

// A value is a record's, as fields with their names, and as texts of several lines.
type value struct {
	Fields []field
	Texts  []field
}

type field struct {
	Name, Text string
	Rest       string // what is not shown; empty if all is
}

// valueOf reads a value of Engine.Reveal: of an HTTP answer, its status, header, body and trailer; of
// another, whatever it is made of.
func valueOf(v any) (out value) {
	out.add("", v)
	slices.SortStableFunc(out.Fields, func(a, b field) int { return cmp.Compare(rank(a.Name), rank(b.Name)) })
	return out
}

// rank puts the status before the headers.
func rank(name string) int {
	if name == "status" {
		return 0
	}
	return 1
}

func (out *value) add(name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, part := range slices.Sorted(maps.Keys(v)) {
			out.add(joined(name, part), v[part])
		}
	case map[any]any:
		parts := map[string]any{}
		for part, value := range v {
			parts[fmt.Sprint(part)] = value
		}
		out.add(name, parts)
	case []any:
		for _, part := range v {
			out.add(name, part)
		}
	case nil:
	case []byte:
		out.text(name, string(v))
	case string:
		if strings.ContainsAny(v, "\n\r") {
			out.text(name, v)
		} else {
			out.Fields = append(out.Fields, limited(screen.Plain(name), v))
		}
	default:
		out.Fields = append(out.Fields, limited(screen.Plain(name), fmt.Sprint(v)))
	}
}

func joined(name, part string) string {
	if name == "" {
		return part
	}
	return name + " " + part
}

// text adds what may have lines.
func (out *value) text(name, text string) {
	f := limited(screen.Plain(name), text)
	if f.Text == "" {
		f.Text = "(empty)"
	}
	out.Texts = append(out.Texts, f)
}

// limited is as much of a text as a page shows, made plain line by line.
func limited(name, text string) field {
	f := field{Name: name}
	if len(text) > maxShown {
		n := maxShown
		for n > maxShown-utf8.UTFMax && !utf8.RuneStart(text[n]) {
			n--
		}
		f.Rest = fmt.Sprintf("%s more bytes: reprise inspect --reveal shows all", screen.Thousands(int64(len(text)-n)))
		text = text[:n]
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = screen.Plain(line)
	}
	f.Text = strings.Join(lines, "\n")
	return f
}
