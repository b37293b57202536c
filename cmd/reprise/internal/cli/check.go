package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
	"github.com/reprise-go/reprise/lock"
)

// A finding is one of Engine.Check's.
type finding struct {
	Setting string `json:"setting"`
	Found   string `json:"found"`
	Want    string `json:"want"`
	Cure    string `json:"cure"`
}

// A place that was checked is a node, or what the findings call the client, the cluster and so on.
type checked struct {
	Where    string    `json:"where"`
	Findings []finding `json:"findings"` // none: all is fit
}

func (p *program) checkCommand() *cobra.Command {
	return p.command(ask, &cobra.Command{
		Use:     "check",
		Short:   "What is amiss with the settings of Redis, node by node",
		GroupID: settings,
		Example: "  reprise check || echo 'not fit'\n" +
			"  reprise check --json | jq -r '.[].findings[].cure'",
		Long: "It does what Engine.Check does at the start of a program: it reads each primary's settings, and " +
			"tries there whatever a request does, on keys of its own. Each finding has its cure.",
	}, func(ctx context.Context, _ []string) error {
		s, err := p.connect(ctx)
		if err != nil {
			return err
		}
		defer s.close()
		findings, unavailable := s.findings(ctx)
		nodes, _ := s.primaries(ctx) // what keeps them from being listed is among the findings
		if err := ended(ctx); err != nil {
			return err
		}
		if unavailable != nil {
			nodes = nil // nothing has been checked there
		}
		all := byPlace(nodes, findings)
		p.print(all, func() { p.printChecked(all) })
		switch {
		case unavailable != nil:
			return s.unavailable(ctx, "check anything", "", errNoNode)
		case len(findings) > 0:
			return &fault{found, counted(len(findings), "finding", "findings"), ""}
		}
		return nil
	})
}

// byPlace groups findings, after all nodes that have been checked.
func byPlace(nodes []node, findings []*lock.SettingError) (all []checked) {
	for _, n := range nodes {
		all = append(all, checked{n.addr, []finding{}})
	}
	for _, f := range findings {
		i := slices.IndexFunc(all, func(c checked) bool { return c.Where == f.Where })
		if i < 0 {
			i = len(all)
			all = append(all, checked{Where: f.Where})
		}
		all[i].Findings = append(all[i].Findings, finding{f.Setting, f.Got, f.Want, f.Cure})
	}
	slices.SortStableFunc(all, func(a, b checked) int { return strings.Compare(a.Where, b.Where) })
	return all
}

func (p *program) printChecked(all []checked) {
	t := &screen.Table{}
	for _, c := range all {
		if len(c.Findings) == 0 {
			t.Add(screen.Cell{Text: c.Where, Style: screen.Strong}, screen.Cell{Text: "ok", Style: screen.Good})
		}
	}
	p.out.Print(t)
	for _, c := range all {
		if len(c.Findings) == 0 {
			continue
		}
		p.out.Println(screen.Strong, c.Where)
		t := &screen.Table{}
		for _, f := range c.Findings {
			t.Add(screen.Cell{Text: "  " + f.Setting, Style: screen.Bad}, screen.Text("got "+f.Found+", want "+f.Want))
			t.Add(screen.Text(""), screen.Cell{Text: f.Cure, Style: screen.Faint})
		}
		p.out.Print(t)
	}
}
