package chaos

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
)

// A fleet is three machines that serve one API and share nothing but Redis.
type fleet struct {
	t        *testing.T
	cluster  *cluster.Cluster
	ledger   *ledger
	machines []*machine
	modes    []mode
	prefix   string
	client   *http.Client // of all callers

	windows []window // faults that have been
	lossy   [][2]int // slots of nodes that failed
}

// A machine is a process that serves the API, and its way to Redis.
type machine struct {
	name    string
	url     string
	proxy   *proxy
	process *os.Process
	reached chan point // from a machine that stops somewhere
}

// The variables of a mode. The short lease is for what happens past it, and else all is as by default.
var (
	inShort   = []string{"REPRISE_LOCK_TTL=2s"}
	inDefault []string
)

const (
	shortLease   = 2 * time.Second
	defaultLease = 15 * time.Second
)

// modes are default and acked durability, each with these variables.
func modes(env []string) []mode {
	return []mode{{"default", env}, {"acked", append([]string{"REPRISE_LOCK_ACKS=1"}, env...)}}
}

// one is default durability, where the fault is none that a replica can help with.
func one(env []string) []mode { return []mode{{"default", env}} }

const clientTimeout = 5 * time.Second

func newFleet(t *testing.T, c *cluster.Cluster, modes []mode) *fleet {
	t.Helper()
	f := &fleet{
		t:       t,
		cluster: c,
		ledger:  newLedger(t),
		modes:   modes,
		prefix:  "chaos-" + rand.Text()[:8],
		client: &http.Client{
			Timeout:   clientTimeout,
			Transport: &http.Transport{MaxIdleConnsPerHost: 200, DisableCompression: true},
		},
	}
	t.Cleanup(f.client.CloseIdleConnections)
	for i := range 3 {
		f.machines = append(f.machines, f.start(fmt.Sprintf("m%d", i), ""))
	}
	return f
}

// start starts a machine, which the end of the test ends.
func (f *fleet) start(name string, stop point) *machine {
	f.t.Helper()
	m := &machine{name: name, proxy: newProxy(f.t, f.cluster), reached: make(chan point, 1)}
	s := settings{
		Name:   f.prefix + "-" + name,
		Proxy:  m.proxy.listener.Addr().String(),
		Ledger: f.ledger.server.URL,
		Prefix: f.prefix,
		Modes:  f.modes,
		Stop:   stop,
	}
	m.name = s.Name
	for _, n := range f.cluster.Nodes() {
		s.Nodes = append(s.Nodes, n.Announced())
	}
	given, err := json.Marshal(s)
	must(f.t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), settingsEnv+"="+string(given), "GORACE=halt_on_error=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	must(f.t, err)
	stdout, err := cmd.StdoutPipe()
	must(f.t, err)
	must(f.t, cmd.Start())
	m.process = cmd.Process
	f.t.Cleanup(func() {
		m.kill()
		_ = stdin.Close()
		err := cmd.Wait()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
			f.t.Errorf("%s ended by itself: %v", m.name, err) // and has said why, a data race for one
		}
	})
	out := bufio.NewReader(stdout)
	url, err := out.ReadString('\n')
	if err != nil {
		f.t.Fatalf("%s did not start: %v", name, err)
	}
	m.url = strings.TrimSpace(url)
	go func() {
		if at, err := out.ReadString('\n'); err == nil {
			m.reached <- point(strings.TrimSpace(at))
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	return m
}

func (m *machine) kill()   { _ = m.process.Signal(syscall.SIGKILL) }
func (m *machine) freeze() { _ = m.process.Signal(syscall.SIGSTOP) }
func (m *machine) thaw()   { _ = m.process.Signal(syscall.SIGCONT) }
