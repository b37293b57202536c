package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
)

// ask is how long a command may take that asks Redis a few things.
const ask = 10 * time.Second

// root is the command without a name, with all others below it.
func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "reprise",
		Short: "See and steer a fleet that uses reprise",
		Long: "It reads the same variables as the programs that it looks after, of which only REPRISE_REDIS_URL " +
			"has to be set: reprise env shows them all.",
		Example: "  export REPRISE_REDIS_URL='redis://127.0.0.1:7001?addr=127.0.0.1:7002'\n" +
			"  reprise doctor",
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,

		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return p.unknown(cmd, args[0])
		},
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&p.json, "json", false, "print JSON")
	flags.DurationVar(&p.timeout, "timeout", 0, "end the command after this time (10s for most commands)")
	flags.StringVar(&p.prefix, "env-prefix", "REPRISE_", "`prefix` of the variables")

	root.SetOut(p.out)
	root.SetErr(p.err)
	root.SetIn(p.Stdin)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		p.json = p.json || slices.Contains(p.Args, "--json") // which may stand behind the flag at fault
		return &fault{misused, err, fmt.Sprintf("%s --help shows what it takes", cmd.CommandPath())}
	})
	root.SetHelpTemplate(helpTemplate)
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(_ *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			switch {
			case err != nil:
				return err
			case len(rest) > 0:
				return p.unknown(about, rest[0])
			}
			return about.Help()
		},
	})
	root.SetUsageTemplate(usageTemplate)
	root.CompletionOptions.HiddenDefaultCmd = true
	cobra.AddTemplateFunc("paragraph", func(text string) string {
		if strings.Contains(text, "\n") {
			return text // it has its lines
		}
		return strings.Join(screen.Wrap(text, 80), "\n")
	})
	cobra.AddTemplateFunc("flags", func(c *cobra.Command, inherited bool) string {
		set := c.LocalFlags()
		if inherited {
			set = c.InheritedFlags()
		}
		return strings.TrimRight(set.FlagUsagesWrapped(80), "\n")
	})

	root.AddGroup(
		&cobra.Group{ID: fleet, Title: "The fleet:"},
		&cobra.Group{ID: settings, Title: "Settings, and whether all is fit:"},
	)
	root.AddCommand(
		p.inspectCommand(), p.keyCommand(), p.lsCommand(), p.statsCommand(), p.watchCommand(), p.boardCommand(),
		p.checkCommand(), p.doctorCommand(), p.envCommand(), p.conformanceCommand(), p.versionCommand(),
		exitCodes(),
	)
	for _, v := range verbs {
		root.AddCommand(p.actCommand(v))
	}
	return root
}

// The groups of commands.
const (
	fleet    = "fleet"
	settings = "settings"
)

func (p *program) unknown(cmd *cobra.Command, name string) error {
	err := fmt.Errorf("there is no command %s", name)
	cure := "reprise help lists them"
	if like := cmd.SuggestionsFor(name); len(like) > 0 {
		cure = "did you mean " + strings.Join(like, " or ") + "?"
	}
	return &fault{misused, err, cure}
}

// none accepts no arguments, and doesn't repeat them: one may be a key.
func none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &fault{misused, fmt.Errorf("%s: got %s, want flags only", cmd.CommandPath(), count(len(args), "argument", "arguments")), cmd.CommandPath() + " --help shows what it takes"}
	}
	return nil
}

// An example stands first: most who ask for help want to see how it is written.
const helpTemplate = `{{with .Example}}{{.}}

{{end}}{{with or .Long .Short}}{{. | paragraph}}

{{end}}{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}`

const usageTemplate = `Usage:
  {{.UseLine}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if and (eq .GroupID $group.ID) .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}

More:{{range $cmds}}{{if or (and (eq .GroupID "") .IsAvailableCommand (ne .Name "help")) .IsAdditionalHelpTopicCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{flags . false}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of all commands:
{{flags . true}}{{end}}{{if .HasAvailableSubCommands}}

{{.CommandPath}} help <command> has an example of each.{{end}}
`
