package cli

import (
	"cmp"
	"context"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
)

// A build is what the program was made of.
type build struct {
	Version  string            `json:"version"` // of this module
	Revision string            `json:"revision,omitempty"`
	Modified bool              `json:"modified,omitempty"` // since the revision
	Go       string            `json:"go"`
	Platform string            `json:"platform"`
	Modules  map[string]string `json:"modules"` // those that decide how Redis is talked to
}

// shown are the modules of a build that somebody may want to know.
var shown = []string{"github.com/reprise-go/reprise", "github.com/redis/go-redis/v9", "github.com/go-redsync/redsync/v4"}

func (p *program) versionCommand() *cobra.Command {
	return p.command(ask, &cobra.Command{
		Use:     "version",
		Short:   "What this program was built of",
		Example: "  reprise version --json | jq -r .version",
	}, func(context.Context, []string) error {
		b := ofBuild()
		p.print(b, func() {
			version := b.Version
			if b.Revision != "" {
				version += " (" + b.Revision[:min(12, len(b.Revision))]
				if b.Modified {
					version += ", modified"
				}
				version += ")"
			}
			t := &screen.Table{}
			t.Add(screen.Text("reprise"), screen.Text(version))
			t.Add(screen.Text("go"), screen.Text(b.Go+" "+b.Platform))
			for _, path := range shown {
				t.Add(screen.Text(path), screen.Text(b.Modules[path]))
			}
			p.out.Print(t)
		})
		return nil
	})
}

func ofBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Modules: map[string]string{}}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = cmp.Or(info.Main.Version, b.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	for _, path := range shown {
		b.Modules[path] = "(devel)"
		for _, m := range info.Deps {
			if m.Path == path && !strings.HasPrefix(m.Version, "(") {
				b.Modules[path] = m.Version
			}
		}
	}
	return b
}
