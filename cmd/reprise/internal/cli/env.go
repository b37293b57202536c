package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cmd/reprise/internal/env"
	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
)

func (p *program) envCommand() *cobra.Command {
	reveal, set := false, false
	c := p.command(ask, &cobra.Command{
		Use:     "env",
		Short:   "Every variable: its value, default and meaning, and what is wrong",
		GroupID: settings,
		Example: "  reprise env --set\n" +
			"  ( set -a; . ./production.env; reprise env )",
		Long: "Faults are marked, also variables that begin with the prefix and that nothing reads. Passwords and " +
			"keys are hidden.",
	}, func(context.Context, []string) error {
		all := env.Read(p.prefix, p.Environ, reveal)
		faults := 0
		shown := all[:0:0]
		for _, v := range all {
			if v.Fault != "" {
				faults++
			}
			if v.Set || v.Fault != "" || !set {
				shown = append(shown, v)
			}
		}
		p.print(shown, func() { p.printVariables(shown) })
		if faults > 0 {
			return &fault{found, counted(faults, "variable is at fault", "variables are at fault"), ""}
		}
		return nil
	})
	c.Flags().BoolVar(&reveal, "reveal", false, "show passwords and keys, too")
	c.Flags().BoolVar(&set, "set", false, "only those that are set, or at fault")
	return c
}

func (p *program) printVariables(all []env.Variable) {
	for _, v := range all {
		name, value := screen.Strong, v.Value
		switch {
		case v.Set && v.Secret && value == "":
			value = "(hidden)"
		case !v.Set:
			name, value = screen.None, cmp.Or(v.Default, "(none)")
		}
		if v.Fault != "" {
			name = screen.Bad
		}
		line := p.out.Paint(name, v.Name) + "=" + screen.Plain(value)
		if !v.Set {
			line = p.out.Paint(name, v.Name) + "  " + p.out.Paint(screen.Faint, "default: "+value)
		}
		_, _ = fmt.Fprintln(p.out, line)
		if v.Meaning != "" {
			p.out.Paragraph("    ", v.Meaning)
		}
		if v.Fault != "" {
			_, _ = fmt.Fprint(p.out, p.out.Paint(screen.Bad, "  ! "))
			p.out.Paragraph("", v.Fault)
		}
	}
}

// count is a number with its noun.
func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", more)
}
