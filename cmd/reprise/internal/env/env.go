// Package env reads all variables at once, those of every package of reprise, and says what is wrong
// with them.
package env

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/redisurl"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// page is the table of docs/settings.md, which no package can embed from there. A test holds the two
// together.
//
//go:generate sh -c "grep '^| `REPRISE_' ../../../../docs/settings.md >settings.md"
//go:embed settings.md
var page string

// documented is the prefix that variables have on the page.
const documented = "REPRISE_"

// A Variable is one that a package of reprise reads.
type Variable struct {
	Name    string `json:"name"`
	Value   string `json:"value,omitempty"` // empty for a secret, unless it was asked for
	Set     bool   `json:"set"`
	Default string `json:"default,omitempty"`
	Meaning string `json:"meaning,omitempty"`
	Secret  bool   `json:"secret,omitempty"`
	Fault   string `json:"fault,omitempty"` // what is accepted in its place
}

// Read returns all variables in the order of docs/settings.md, and after them those that begin like
// one of ours and that nothing reads: they are misspelt. Secrets are left out unless they are to be
// revealed.
func Read(prefix string, environ []string, reveal bool) []Variable {
	wrong := faults(prefix, environ)
	secret := secrets()
	var all []Variable
	for _, told := range config.ReadPage(documented, page) {
		name := strings.TrimPrefix(told.Variable, documented)
		v := Variable{
			Name:    prefix + name,
			Value:   config.Variable(prefix, name, environ),
			Default: Text(told.Default),
			Meaning: Text(told.Meaning),
			Secret:  secret[name],
			Fault:   wrong[prefix+name],
		}
		v.Set = v.Value != ""
		switch {
		case reveal:
		case name == redisURL:
			v.Value, v.Secret = redisurl.Redacted(v.Value), true
		case v.Secret:
			v.Value = ""
		}
		all = append(all, v)
	}
	all = append(all, boardToken(prefix, environ, reveal))
	return append(all, strangers(prefix, environ, all)...)
}

// boardToken is what stands on docs/board.md.
func boardToken(prefix string, environ []string, reveal bool) Variable {
	v := Variable{Name: prefix + BoardToken, Value: config.Variable(prefix, BoardToken, environ), Secret: true,
		Meaning: "what a browser has to show once to see reprise board"}
	v.Set = v.Value != ""
	if v.Set && len(v.Value) < LeastToken {
		v.Fault = fmt.Sprintf("want at least %d bytes", LeastToken)
	}
	if !reveal {
		v.Value = ""
	}
	return v
}

const redisURL = "REDIS_URL"

// BoardToken is the variable, without its prefix, that reprise board alone reads. It is on a page of
// its own, docs/board.md.
const BoardToken = "BOARD_TOKEN"

// LeastToken is how long that has to be, in bytes.
const LeastToken = 16

// settings are those of all packages.
func settings() config.Settings {
	return slices.Concat(new(replay.Config).Settings(), new(effect.Config).Settings(),
		new(httpadapter.Config).Settings(), new(grpcadapter.Config).Settings())
}

func secrets() map[string]bool {
	all := map[string]bool{redisURL: true}
	for _, s := range settings() {
		if i := s.Info(); i.Secret {
			all[i.Variable] = true
		}
	}
	return all
}

// faults are what the packages refuse, each by the name of its variable.
func faults(prefix string, environ []string) map[string]string {
	_, engine := replay.FromEnv(prefix, environ)
	_, adapter := httpadapter.FromEnv(prefix, environ)
	_, calls := grpcadapter.FromEnv(prefix, environ)
	client, url := lock.ClientFromEnv(prefix, environ)
	if client != nil {
		_ = client.Close()
	}
	all := []error{engine, adapter, calls, url}
	// A program without effects has none of their variables, one of which has no default.
	if slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, prefix+"EFFECT_") }) {
		_, table := effect.FromEnv(prefix, environ)
		all = append(all, table)
	}
	wrong := map[string]string{}
	for _, err := range config.Map(errors.Join(all...), func(e config.Error) *config.Error { return &e }) {
		e, ok := err.(*config.Error)
		if !ok {
			continue
		}
		text := "want " + e.Want
		if e.Name == prefix+redisURL && e.Value != "" {
			text = "got " + e.Value + ", " + text // of a URL it says which part
		}
		if e.Other != "" {
			text += " (see " + e.Other + ")"
		}
		if !strings.Contains(wrong[e.Name], text) {
			wrong[e.Name] = strings.TrimPrefix(wrong[e.Name]+"; "+text, "; ")
		}
	}
	return wrong
}

// strangers are the variables that nothing reads.
func strangers(prefix string, environ []string, known []Variable) (all []Variable) {
	if prefix == "" {
		return nil
	}
	for _, text := range environ {
		name, _, _ := strings.Cut(text, "=")
		if !strings.HasPrefix(name, prefix) || slices.ContainsFunc(known, func(v Variable) bool { return v.Name == name }) {
			continue
		}
		fault := "nothing reads it"
		if like := nearest(name, known); like != "" {
			fault += ": did you mean " + like + "?"
		}
		all = append(all, Variable{Name: name, Set: true, Secret: true, Fault: fault})
	}
	slices.SortFunc(all, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// nearest is the variable that a name may be a slip of.
func nearest(name string, known []Variable) (like string) {
	least := 3 // edits
	for _, v := range known {
		if d := distance(name, v.Name); d < least {
			like, least = v.Name, d
		}
	}
	return like
}

// distance is how many bytes have to be put in, taken out or changed to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

var link = regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`)

// Text returns Markdown of the page as plain text.
func Text(markdown string) string {
	return strings.ReplaceAll(link.ReplaceAllString(markdown, "$1"), "`", "")
}
