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
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/integration/database"
	"github.com/reprise-go/reprise/lock"
)

// A fleet is three machines that serve one API and share nothing but Redis.
type fleet struct {
	t       *testing.T
	cluster *cluster.Cluster
	ledger  *ledger
	books   *database.Database // of mode effects
	modes   []mode
	prefix  string
	client  *http.Client // of all callers
	least   int          // keys in each mode

	mu       sync.Mutex // for machines, where some are replaced under load
	machines []*machine
	started  int

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

// The variables of a mode. The short lease is for what happens past it, the short round trips are for
// where Redis is asked in vain again and again, the long ones are for where a machine that is busy with
// other things has to be answered nevertheless, and else all is as by default.
var (
	inShort   = []string{"REPRISE_LOCK_TTL=2s"}
	inLong    = []string{"REPRISE_LOCK_TTL=8s", "REPRISE_LOCK_TIMEOUT=4s", "REPRISE_LOCK_ACK_WITHIN=2s"}
	failOpen  = []string{"REPRISE_LOCK_TTL=2s", "REPRISE_LOCK_TIMEOUT=500ms", "REPRISE_REPLAY_ON_STORE_DOWN=run"}
	inDefault []string
)

const (
	shortLease   = 2 * time.Second
	longLease    = 8 * time.Second
	defaultLease = 15 * time.Second
)

// effects is the mode in which a payment is booked by package effect, in a database. Its durability is
// the default.
const effects = "effects"

// modes are default and acked durability, and effects, each with these variables.
func modes(env []string) []mode {
	return []mode{{"default", env}, {"acked", append([]string{"REPRISE_LOCK_ACKS=1"}, env...)}, {effects, env}}
}

// unacked are the modes in default durability, where the fault is none that a replica can help with.
func unacked(env []string) []mode { return []mode{{"default", env}, {effects, env}} }

const clientTimeout = 5 * time.Second

func newFleet(t *testing.T, c *cluster.Cluster, modes []mode) *fleet {
	t.Helper()
	f := &fleet{
		t:       t,
		cluster: c,
		ledger:  newLedger(t),
		books:   newBooks(t),
		modes:   modes,
		prefix:  "chaos-" + rand.Text()[:8],
		least:   *leastKeys,
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
		Books:  f.books.Source + timeouts,
		Prefix: f.prefix,
		Modes:  f.modes,
		Stop:   stop,
	}
	f.mu.Lock()
	if f.started++; f.started%2 == 0 { // every other machine shares no pipelines
		s.Pipeline = lock.PipelineOff
	}
	f.mu.Unlock()
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

func (f *fleet) machine(i int) *machine {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.machines[i]
}

// replace starts a machine in the place of one that is dead.
func (f *fleet) replace(i int, name string) {
	f.t.Helper()
	started := f.start(name, "")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.machines[i] = started
}

func (m *machine) kill()   { _ = m.process.Signal(syscall.SIGKILL) }
func (m *machine) freeze() { _ = m.process.Signal(syscall.SIGSTOP) }
func (m *machine) thaw()   { _ = m.process.Signal(syscall.SIGCONT) }
