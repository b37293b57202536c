package config

import (
	"regexp"
	"strings"
)

// A Told is what the documentation's table of settings says of one variable, in Markdown.
type Told struct{ Variable, Default, Meaning string }

var (
	inCode = regexp.MustCompile("`([A-Z0-9_]+)`")
	cells  = regexp.MustCompile(`\s*\|\s*`)
)

// ReadPage reads the table of a page: the rows whose first cell begins with a variable that has the
// prefix. That cell may name more variables than one: the others by what takes the place of the first
// one's end ("REPRISE_GRPC_TTL_OK, _TTL_ERROR"), or a class of status to another ("_2XX … _5XX").
func ReadPage(prefix, page string) (all []Told) {
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "| `"+prefix) {
			continue
		}
		row := cells.Split(strings.TrimSpace(line), -1)
		if len(row) < 4 {
			continue
		}
		add := func(variable string) { all = append(all, Told{variable, row[2], row[3]}) }
		names := inCode.FindAllStringSubmatch(row[1], -1)
		first := names[0][1]
		add(first)
		for _, n := range names[1:] {
			end := n[1]
			if strings.Contains(row[1], "…") {
				for class := first[len(first)-3] + 1; class < end[1]; class++ {
					add(first[:len(first)-3] + string(class) + "XX")
				}
			}
			// As many words of the first give way as there are in the end.
			words := strings.Split(first, "_")
			add(strings.Join(words[:len(words)-strings.Count(end, "_")], "_") + end)
		}
	}
	return all
}
