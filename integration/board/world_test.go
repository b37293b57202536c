package board

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/integration/local"
	"github.com/reprise-go/reprise/replay"
)

// What all tests share: the program, and one browser.
var (
	program string
	browser context.Context // of the browser; each test has a tab of its own
	lacking string          // why there is none
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "reprise")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "reprise")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/reprise-go/reprise/cmd/reprise").CombinedOutput(); err != nil {
		return fail(fmt.Errorf("%w\n%s", err, out))
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if path == "" {
		lacking = "no Chromium is installed: on Debian, apt-get install chromium"
		if os.Getenv("REPRISE_REQUIRE_DOCKER") == "1" {
			return fail(errors.New("REPRISE_REQUIRE_DOCKER=1, but " + lacking))
		}
		return m.Run()
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.WSURLReadTimeout(time.Minute), // to start in: it may never have been read from the disk
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("host-resolver-rules", "MAP *.internal 127.0.0.1"))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	defer end()
	ctx, leave := chromedp.NewContext(allocator)
	defer leave()
	if err := chromedp.Do(ctx); err != nil {
		return fail(fmt.Errorf("%s: %w", path, err))
	}
	browser = ctx
	return m.Run()
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "integration/board:", err)
	return 1
}

// A site is a Redis, an engine over it, and the board at work.
type site struct {
	redis  *local.Server // nil for a cluster
	client redis.UniversalClient
	engine *replay.Engine
	url    string

	mu  sync.Mutex
	log bytes.Buffer // what the program writes to standard error
}

func newSite(t *testing.T, args ...string) *site {
	t.Helper()
	if lacking != "" {
		t.Skip("NOT RUN: " + lacking)
	}
	s := &site{redis: local.Start(t, "--maxmemory", "64mb")}
	s.client = redis.NewClient(&redis.Options{Addr: s.redis.Addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = s.client.Close() })
	s.start(t, "redis://"+s.redis.Addr, args)
	return s
}

// newClusterSite is newSite over three primaries, each with a replica.
func newClusterSite(t *testing.T) *site {
	t.Helper()
	if lacking != "" {
		t.Skip("NOT RUN: " + lacking)
	}
	c := local.StartCluster(t, "--maxmemory", "64mb")
	s := &site{client: c.Client(t)}
	s.start(t, c.URL, nil)
	return s
}

func (s *site) start(t *testing.T, redisURL string, args []string) {
	t.Helper()
	var err error
	if s.engine, err = replay.New(s.client, replay.Config{}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"board", "--json", "--listen", "127.0.0.1:0", "--interval", "200ms"}, args...)...)
	cmd.Env = append(os.Environ(), "REPRISE_REDIS_URL="+redisURL)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = s
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		if err := <-ended; err != nil {
			t.Errorf("at SIGTERM the board ends with %v, want 0\n%s", err, s.said())
		}
	})
	var address struct{ URL string }
	err = json.NewDecoder(bufio.NewReader(stdout)).Decode(&address)
	go func() { ended <- cmd.Wait() }()
	if err != nil {
		t.Fatalf("%v\n%s", err, s.said())
	}
	s.url = strings.TrimSuffix(address.URL, "/")
}

func (s *site) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(text)
}

// said is what the program has written to standard error.
func (s *site) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// record makes the record of a request.
func (s *site) record(t *testing.T, key string, value any) (digest string) {
	t.Helper()
	_, err := s.engine.Do(t.Context(), replay.Request{Scope: "acme", Key: key}, func(context.Context) (replay.Answer, error) {
		return replay.Answer{Value: value}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.engine.Digest("acme", key)
}

// leave leaves the claim of a request that has failed.
func (s *site) leave(t *testing.T, key string) (digest string) {
	t.Helper()
	_, err := s.engine.Do(t.Context(), replay.Request{Scope: "acme", Key: key}, func(context.Context) (replay.Answer, error) {
		return replay.Answer{}, errors.New("it fails")
	})
	if err == nil {
		t.Fatal("it has not failed")
	}
	return s.engine.Digest("acme", key)
}

// hold has a request in flight until end is called, or the test ends.
func (s *site) hold(t *testing.T, key string) (digest string, end func()) {
	t.Helper()
	began, leave, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.engine.Do(context.Background(), replay.Request{Scope: "acme", Key: key}, func(context.Context) (replay.Answer, error) {
			close(began)
			<-leave
			return replay.Answer{Value: "done"}, nil
		})
	}()
	<-began
	end = sync.OnceFunc(func() { close(leave); <-ended })
	t.Cleanup(end)
	return s.engine.Digest("acme", key), end
}

// past puts an hour of a fleet's work into Redis, as its claims and records would be.
func (s *site) past(t *testing.T) {
	t.Helper()
	now := time.Now()
	codec, err := cache.NewCodec(cache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p := s.client.Pipeline()
	owner := func(n int) string { return fmt.Sprintf("%032x", n+1) }
	key := func(kind string, n int) string {
		return s.engine.Config().Prefix + ":" + s.engine.Digest("acme", fmt.Sprint(kind, n))
	}
	for n := range 900 {
		age := time.Duration(n*n/250)*time.Second + time.Duration(n)*137*time.Millisecond
		k := key("done", n)
		value, err := codec.Encode(k, cache.Header{Owner: owner(n), Fence: now.Add(-age).UnixMicro(), Fingerprint: "f"},
			map[string]any{"status": 201, "body": bytes.Repeat([]byte("x"), 100+n)})
		if err != nil {
			t.Fatal(err)
		}
		p.Set(t.Context(), k, value, 24*time.Hour-age)
	}
	claim := func(kind string, n, attempt int, age, left time.Duration) {
		const remember = time.Hour
		p.Set(t.Context(), key(kind, n), fmt.Sprintf("L1 %d %d %d f%d %s", attempt, now.Add(-age).UnixMicro(), remember.Milliseconds(), n, owner(n)),
			left+remember)
	}
	for n := range 7 {
		claim("claimed", n, 1+n/5, time.Duration(n*n+1)*700*time.Millisecond, time.Minute+time.Duration(14-n)*time.Second)
	}
	for n := range 4 {
		claim("left", n, 1+n%3, time.Duration(n*n*6+2)*time.Minute, -time.Duration(n*n*6+1)*time.Minute)
	}
	if _, err := p.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// foreign puts a value under a Redis key.
func (s *site) foreign(t *testing.T, key, value string) {
	t.Helper()
	if err := s.client.Set(t.Context(), s.engine.Config().Prefix+":"+key, value, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
}

// standing is the state under a digest.
func (s *site) standing(t *testing.T, digest string) replay.KeyState {
	t.Helper()
	e, err := s.engine.InspectDigest(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	return e.State
}

// hides fails if a text is where it could be kept: in the log, or in an address.
func (s *site) hides(t *testing.T, secret string, addresses []string) {
	t.Helper()
	for _, where := range append(addresses, s.said()) {
		if strings.Contains(where, secret) || strings.Contains(where, url.QueryEscape(secret)) {
			t.Errorf("%q is in %s", secret, where)
		}
	}
}
