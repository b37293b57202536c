package docs

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/reprise-go/reprise/integration/port"
)

// elsewhere are commands of sh blocks that take minutes or Docker, and the file by which CI runs them, as they stand.
var elsewhere = map[string]string{
	"make cluster-up":   ".ci/compose",
	"make cluster-down": ".ci/compose",
	"REPRISE_REDIS_URL='redis://127.0.0.1:7001?addr=127.0.0.1:7002&addr=127.0.0.1:7003' go run ./examples/payments -replicas 3": ".ci/compose",
}

// serves is the command that goes on until Ctrl-C, while a reader types the next ones into another terminal, and how
// the last line begins that it prints before it serves. kills ends it as a crash does; the reader starts it again.
const (
	serves = "go run ./examples/payments -db payments.db"
	ready  = "What else can be asked for"
	kills  = "kill -9 $(pgrep -x payments)"
)

// The commands of a page run as they stand, one block after the other, and print what the page says. What may be taken
// on the machine that tests is replaced: port 8080 by a free one, the file by one of the test's, and the process that is
// killed by the one that the test has started.
func TestCommandsRun(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	for _, p := range manual(t) {
		t.Run(filepath.Base(p.name), func(t *testing.T) {
			addr, _, err := port.Free()
			if err != nil {
				t.Fatal(err)
			}
			last, ran := "", 0
			command := strings.ReplaceAll(serves, "payments.db", filepath.Join(t.TempDir(), "payments.db")) + " -addr " + addr
			group := 0 // the process group of what serves
			for _, b := range p.blocks() {
				text := strings.ReplaceAll(b.text, "127.0.0.1:8080", addr)
				switch {
				case b.language == "output":
					if !strings.HasSuffix("\n"+normal(last), "\n"+normal(text)) {
						t.Errorf("%s:%d: want the output before to end with\n%sgot\n%s", p.name, b.line, normal(text), normal(last))
					}
				case b.language != "sh":
				case strings.TrimSpace(text) == serves:
					group = serve(t, p, command, addr)
					ran++
				case !runsElsewhere(t, b):
					t.Logf("%s:%d\n%s", p.name, b.line, text)
					text, killed := strings.ReplaceAll(text, kills, fmt.Sprintf("pkill -9 -x -g %d payments", group)), strings.Contains(text, kills)
					var err error
					if last, err = shell(text); err != nil {
						t.Fatalf("%s:%d: %v\n%s", p.name, b.line, err, last)
					}
					if killed {
						group = serve(t, p, command, addr)
					}
					ran++
				}
			}
			if p.name == "README.md" && ran < 2 {
				t.Errorf("%d blocks ran, want 2 at least: the test has lost them", ran)
			}
		})
	}
}

// normal returns output without what differs from run to run.
func normal(output string) string {
	output = strings.ReplaceAll(output, "\r\n", "\n")
	for pattern, with := range map[string]string{
		`(?m)^Date: .*$`: "Date: …",
		`pay_[A-Z2-7]+`:  "pay_…",
		`"fence":\d+`:    `"fence":…`,
	} {
		output = regexp.MustCompile(pattern).ReplaceAllString(output, with)
	}
	return output
}

// shell runs commands in the repository, and returns what they print. CI sees that no command changes a file there.
func shell(text string) (string, error) {
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", text)
	cmd.Dir = root
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return string(out) + errs.String(), err
	}
	return string(out), nil
}

// serve runs the command that serves, until the test ends, and then ends it as Ctrl-C does. What the page has a reader
// type, the program says as well. It returns the process group.
func serve(t *testing.T, p *page, command, addr string) int {
	t.Helper()
	cmd := exec.Command("bash", "-c", "exec "+command)
	cmd.Dir = root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var log strings.Builder
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		cmd.Wait() // the go command ends with 1 when it is interrupted, however the program ends
		if strings.Contains(log.String(), "payments:") {
			t.Errorf("%s: %s ended with\n%s", p.name, serves, &log)
		}
	})
	said, lines := "", bufio.NewScanner(stdout)
	for !strings.Contains(said, ready) {
		if !lines.Scan() {
			t.Fatalf("%s: %s printed only\n%s", p.name, serves, said)
		}
		said += lines.Text() + "\n"
	}
	for _, b := range p.blocks() {
		for command := range strings.Lines(strings.ReplaceAll(b.text, "127.0.0.1:8080", addr)) {
			if b.language == "sh" && strings.HasPrefix(command, "curl") && !strings.Contains(said, command) {
				t.Errorf("%s:%d: the program doesn't say\n%sbut\n%s", p.name, b.line, command, said)
			}
		}
	}
	return cmd.Process.Pid
}

// runsElsewhere reports whether CI runs a block's commands by another file, and checks that it does.
func runsElsewhere(t *testing.T, b block) bool {
	t.Helper()
	by := 0
	for command := range strings.Lines(b.text) {
		command = strings.TrimSpace(command)
		file, ok := elsewhere[command]
		if !ok {
			continue
		}
		by++
		script, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`(?m)^[^#\n]*` + regexp.QuoteMeta(command) + `\b`).Match(script) {
			t.Errorf("%s:%d: %s doesn't run %s", b.page.name, b.line, file, command)
		}
	}
	if by > 0 && by != strings.Count(b.text, "\n") {
		t.Errorf("%s:%d: some commands run here and some elsewhere, want a block of each", b.page.name, b.line)
	}
	return by > 0
}
