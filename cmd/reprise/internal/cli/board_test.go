package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/cmd/reprise/internal/cli"
)

func TestBoardMisused(t *testing.T) {
	w := newWorld(t)
	for words, args := range map[string][]string{
		"--listen: got \"7474\"":         {"--listen", "7474"},
		"--token: got 5 bytes":           {"--token", "short"},
		"--interval: got 1ms":            {"--interval", "1ms"},
		"--rate: got -2":                 {"--rate", "-2"},
		"--audit: open /nowhere/at.log:": {"--audit", "/nowhere/at.log"},
	} {
		w.wants(2, words, append([]string{"board", "--listen", "127.0.0.1:0"}, args...)...)
	}
}

// What is done, and can't be written down, is told on the page.
func TestBoardAuditLost(t *testing.T) {
	w := newWorld(t)
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("NOT RUN: ", err)
	}
	digest := w.done(w.engine(), "order-1", "v")
	page := w.board("--listen", "127.0.0.1:0", "--audit", "/dev/full") + "key/" + digest + "/forget"
	read := func(resp *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, after, _ := strings.Cut(read(http.Get(page)), `name="mark" value="`)
	mark, _, _ := strings.Cut(after, `"`)
	text := read(http.PostForm(page, url.Values{"mark": {mark}}))
	if !strings.Contains(text, "Forgotten.") || !strings.Contains(text, "could not be written: write /dev/full: no space left on device") {
		t.Error(text)
	}
}

// board runs the command until the test ends, and returns its address.
func (w *world) board(args ...string) string {
	w.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, cli.Process{Args: append([]string{"board", "--json"}, args...), Environ: w.environ,
			Stdin: strings.NewReader(""), Stdout: in, Stderr: io.Discard})
		in.Close()
	}()
	w.Cleanup(func() {
		stop()
		if status := <-ended; status != 0 {
			w.Errorf("it ends with %d, want 0", status)
		}
	})
	var address struct{ URL string }
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&address); err != nil {
		w.Fatal(err)
	}
	return address.URL
}

// Loopback asks for no token unless it is given one, and any other address for one, which is made if
// there is none.
func TestBoardToken(t *testing.T) {
	w := newWorld(t)
	status := func(url string) int {
		t.Helper()
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	onLoopback := func(url string) string { // 0.0.0.0 is told by the name of the machine
		_, rest, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
		return "http://127.0.0.1:" + rest
	}
	if url := w.board("--listen", "127.0.0.1:0"); strings.Contains(url, "token") || status(url) != http.StatusOK {
		t.Errorf("on loopback: %s, %d", url, status(url))
	}
	made := onLoopback(w.board("--listen", "0.0.0.0:0"))
	bare, token, _ := strings.Cut(made, "?token=")
	if len(token) < 26 || status(bare) != http.StatusUnauthorized || status(bare+"?token=no") != http.StatusUnauthorized {
		t.Errorf("elsewhere: %s, %d", made, status(bare))
	}
	w.environ = append(w.environ, "REPRISE_BOARD_TOKEN=sixteen-bytes-16")
	given := onLoopback(w.board("--listen", "0.0.0.0:0"))
	if strings.Contains(given, "token") || status(given) != http.StatusUnauthorized {
		t.Errorf("with a token: %s, %d", given, status(given))
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(given + "?token=sixteen-bytes-16")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		t.Errorf("with the token: %d", resp.StatusCode)
	}
	if url := w.board("--listen", "127.0.0.1:0"); status(url) != http.StatusUnauthorized || status(url+"?token=no") != http.StatusUnauthorized {
		t.Errorf("on loopback, with a token: %d", status(url))
	}
}
