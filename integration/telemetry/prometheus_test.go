package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/reprise-go/reprise/integration/port"
	"github.com/reprise-go/reprise/telemetry"
)

const folder = "../../observability"

// program finds a program of Debian's package prometheus. Without it the test is not run, or fails
// where nothing may be left out.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("REPRISE_REQUIRE_DOCKER") == "1" {
		t.Fatalf("no %s is installed: on Debian, apt-get install prometheus", name)
	}
	t.Skipf("NOT RUN: no %s is installed (on Debian, apt-get install prometheus)", name)
	return ""
}

// The alerts fire when they should, and on no day like any other.
func TestAlertRules(t *testing.T) {
	promtool := program(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	tests, err := os.ReadFile(filepath.Join(folder, "alerts_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile(filepath.Join(folder, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range alertNames(rules) {
		for what, text := range map[string]string{
			"fires":          "      - alertname: " + name + "\n",
			"is left to lie": "      - { alertname: " + name + ",",
		} {
			if !bytes.Contains(tests, []byte(text)) {
				t.Errorf("alerts_test.yml doesn't test when %s %s", name, what)
			}
		}
	}
}

func alertNames(rules []byte) (names []string) {
	for line := range strings.Lines(string(rules)) {
		if _, name, ok := strings.Cut(line, "- alert: "); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

// A server is a Prometheus of this machine, which ends with the test.
type server struct {
	*testing.T
	url string
}

func startPrometheus(t *testing.T, targets ...string) server {
	t.Helper()
	path := program(t, "prometheus")
	dir := t.TempDir()
	rules, err := filepath.Abs(filepath.Join(folder, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [%q]
scrape_configs:
  - job_name: payments
    static_configs: [{ targets: [%s] }]
`, rules, strings.Join(targets, ", "))
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, _, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+addr, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus said:\n%s", &said)
		}
	})
	s := server{t, "http://" + addr}
	s.await("prometheus is ready", func() bool {
		resp, err := http.Get(s.url + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return s
}

// await asks again and again until the answer is yes.
func (s server) await(what string, yes func() bool) {
	s.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-deadline:
			s.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// get asks the HTTP API.
func (s server) get(path string, into any) error {
	resp, err := http.Get(s.url + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s", answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

// query returns how many series a query finds that have a value.
func (s server) query(expr string) (series int, err error) {
	var data struct {
		Result []struct{ Value [2]any }
	}
	if err := s.get("/api/v1/query?query="+url.QueryEscape(expr), &data); err != nil {
		return 0, err
	}
	for _, r := range data.Result {
		if r.Value[1] != "NaN" {
			series++
		}
	}
	return series, nil
}

// dashboardQueries are those of the dashboard, by panel, with the interval that Grafana would choose.
func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title, Type string
			Targets     []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			queries[p.Title+" "+target.RefID] = strings.ReplaceAll(target.Expr, "$__rate_interval", "30s")
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %s asks for nothing", p.Title)
		}
	}
	return queries
}

// Each query of the dashboard finds something, once there is something to be found; each alert can be
// asked, knows only metrics that there are, and has its section.
func TestDashboardAndAlertsFindWhatIsTold(t *testing.T) {
	program(t, "prometheus")
	shared := miniredis.RunT(t)
	var machines []*machine
	var targets []string
	for range 3 {
		m := newMachine(t, shared, telemetry.Config{})
		machines = append(machines, m)
		targets = append(targets, strings.TrimPrefix(m.metrics.URL, "http://"))
	}
	s := startPrometheus(t, targets...)

	missing := dashboardQueries(t)
	if len(missing) < 20 {
		t.Fatalf("%d queries found, want 20 at least: the test has lost them", len(missing))
	}
	day := 0
	s.await("all queries find something", func() bool {
		machines[day%3].day(t, fmt.Sprintf("day-%d-", day)) // rates need series that go on
		day++
		for title, expr := range missing {
			n, err := s.query(expr)
			if err != nil {
				t.Fatalf("the panel %s: %s: %v", title, expr, err)
			}
			if n > 0 {
				delete(missing, title)
			}
		}
		if day%50 == 0 {
			t.Logf("%d days, and these find nothing: %v", day, missing)
		}
		return len(missing) == 0 || t.Failed()
	})

	var rules struct {
		Groups []struct {
			Rules []struct {
				Name, Query, Health string
				Annotations         map[string]string
			}
		}
	}
	if err := s.get("/api/v1/rules?type=alert", &rules); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	if err := s.get("/api/v1/label/__name__/values", &names); err != nil {
		t.Fatal(err)
	}
	alerts := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			alerts++
			if _, err := s.query(r.Query); err != nil {
				t.Errorf("%s: %v", r.Name, err)
			}
			for _, metric := range metricsIn(r.Query) {
				if !slices.Contains(names, metric) {
					t.Errorf("%s asks for %s, which nobody tells", r.Name, metric)
				}
			}
			if !bytes.Contains(page, []byte("\n## "+r.Name+"\n")) {
				t.Errorf("docs/alerts.md has no section %s", r.Name)
			}
			if want := "/docs/alerts.md#" + strings.ToLower(r.Name); !strings.HasSuffix(r.Annotations["runbook_url"], want) {
				t.Errorf("%s leads to %s, want %s", r.Name, r.Annotations["runbook_url"], want)
			}
		}
	}
	if alerts < 10 {
		t.Errorf("%d alerts found, want 10 at least", alerts)
	}
}

// metricsIn returns the metrics of ours that a query names.
func metricsIn(query string) (all []string) {
	for _, word := range strings.FieldsFunc(query, func(r rune) bool { return !(r == '_' || 'a' <= r && r <= 'z') }) {
		isLabel := slices.Contains([]string{"reprise_outcome", "reprise_lease_state", "reprise_shadow"}, word)
		if strings.HasPrefix(word, "reprise_") && !isLabel {
			all = append(all, word)
		}
	}
	return all
}
