package reprise

import (
	"bufio"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// conformance walks the contract's table against a real API on the cluster.
func TestConformance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	payments := filepath.Join(t.TempDir(), "payments")
	build := exec.Command("go", "build", "-o", payments, "github.com/reprise-go/reprise/examples/payments")
	build.Dir = filepath.Join("..", "..") // as TestMain
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	url, _, _ := strings.Cut(w.serving("Serving ", payments, "-addr", "127.0.0.1:0"), "/payments")
	got := w.wants(0, " rows pass", "conformance", url)
	if strings.Count(got.stdout, "\n") < 20 || strings.Contains(got.stdout, "DIFF") {
		t.Errorf("got %v", got)
	}
}

// board serves its page over the cluster, and ends at a signal.
func TestBoard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digest := w.done("paid")
	url := w.serving("http", program, "board", "--listen", "127.0.0.1:0")
	get := func(path string) string {
		t.Helper()
		client := &http.Client{Timeout: patience}
		answer, err := client.Get("http" + strings.TrimSuffix(url, "/") + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		page, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, answer.Status, err)
		}
		return string(page)
	}
	page := get("/")
	for _, s := range w.cluster.Servers[:3] {
		if !strings.Contains(page, s.Addr) {
			t.Errorf("it says nothing of %s", s.Addr)
		}
	}
	if page := get("/key/" + digest); !strings.Contains(page, digest) || !strings.Contains(page, "done") {
		t.Error("the page of a key doesn't say that it is done")
	}
}

// serving starts a program that serves, ends it by a signal with the test, and returns what follows
// some words on its first line.
func (w *world) serving(words, name string, args ...string) string {
	w.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = w.environ
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	rest, serves := strings.CutPrefix(strings.TrimSpace(line), words)
	if err != nil || !serves {
		w.Errorf("%s begins with %q, %v", name, line, err)
	}
	w.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		killer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer killer.Stop()
		_, _ = io.Copy(io.Discard, lines)
		if err := cmd.Wait(); err != nil {
			w.Errorf("%s ended with %v", name, err)
		}
	})
	return rest
}
