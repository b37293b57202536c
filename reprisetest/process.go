package reprisetest

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/replay"
)

// A point is where a process can be stopped.
type point int

const (
	nowhere point = iota
	granted       // it has got the key, and doesn't know yet: the handler has not begun
	ended         // the handler has ended, and the process is about to tell Redis what became of it
)

func (p point) String() string {
	return [...]string{"nowhere", "before its handler begins", "when its handler has ended, before the answer is stored"}[p]
}

// A process serves the handler over an engine and a Redis client of its own. It is stopped by holding
// what goes between it and Redis: it is a hook of its client.
type process struct {
	name    string
	stage   *stage
	client  *redis.Client
	handler http.Handler

	stopped chan struct{} // closed when it has come to the point where it stops
	resumed chan struct{} // closed when it may go on

	mu     sync.Mutex
	stopAt point
	held   string         // the Redis key that it was granted first
	works  func(*request) // called when its handler is about to begin; nil: nobody asks
}

// process starts one.
func (s *stage) process(name string) *process {
	s.Helper()
	p := &process{name: name, stage: s, client: connect(s.redis),
		stopped: make(chan struct{}), resumed: make(chan struct{})}
	p.client.AddHook(p)
	s.processes = append(s.processes, p)
	engine, err := replay.New(p.client, s.config())
	if err != nil {
		s.Fatalf("reprisetest: %v", err)
	}
	p.handler = s.subject.Handler(s.T, engine)
	p.held = "" // Handler may have done work under keys of its own
	return p
}

// stop makes the process stop when it comes to the point.
func (p *process) stop(at point) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopAt = at
}

// resume ends stop, once and for all.
func (p *process) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopAt = nowhere; !isClosed(p.resumed) {
		close(p.resumed)
	}
}

// hold waits for resume, if this is the point where to stop.
func (p *process) hold(at point) {
	p.mu.Lock()
	here := p.stopAt == at
	if here && !isClosed(p.stopped) {
		close(p.stopped)
	}
	p.mu.Unlock()
	if here {
		<-p.resumed
	}
}

// working is called for all that looks at the header of an answer. The first after the grant is the
// adapter, when it has the key and the handler is about to begin.
func (p *process) working(q *request) {
	p.mu.Lock()
	works := p.works
	if p.held == "" {
		works = nil
	}
	if works != nil {
		p.works = nil
	}
	p.mu.Unlock()
	if works != nil {
		works(q)
	}
}

// DialHook is redis.Hook's.
func (p *process) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook is redis.Hook's.
func (p *process) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := p.before(ctx, cmd); err != nil {
			cmd.SetErr(err)
			return err
		}
		err := next(ctx, cmd)
		p.after(cmd)
		return err
	}
}

// ProcessPipelineHook is redis.Hook's.
func (p *process) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if err := p.before(ctx, cmd); err != nil {
				for _, cmd := range cmds {
					cmd.SetErr(err)
				}
				return err
			}
		}
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			p.after(cmd)
		}
		return err
	}
}

// before sees a command on its way to Redis. Whatever follows a grant on the same key tells what has
// become of the work, since leases here are so long that none is ever renewed.
func (p *process) before(ctx context.Context, cmd redis.Cmder) error {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		r.asked.Store(true)
	}
	key := keyOf(cmd)
	p.mu.Lock()
	follows := key != "" && key == p.held
	p.mu.Unlock()
	if follows {
		p.hold(ended)
	}
	if p.stage.down.Load() {
		return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return nil
}

// after sees the reply.
func (p *process) after(cmd redis.Cmder) {
	c, ok := cmd.(*redis.Cmd)
	if !ok || c.Err() != nil || keyOf(cmd) == "" {
		return
	}
	p.stage.tell(func() { p.stage.replies++ })
	// A script that grants replies with the claim: a line of text, L1 and the number of the attempt.
	claim, _ := c.Val().(string)
	if fields := strings.Fields(claim); len(fields) > 2 && fields[0] == "L1" {
		p.mu.Lock()
		p.held = cmp.Or(p.held, keyOf(cmd))
		p.mu.Unlock()
		p.hold(granted)
	}
}

// keyOf returns the key of a script, or "" for any other command.
func keyOf(cmd redis.Cmder) string {
	if name := cmd.Name(); name != "evalsha" && name != "eval" || len(cmd.Args()) < 4 {
		return ""
	}
	key, _ := cmd.Args()[3].(string)
	return key
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
