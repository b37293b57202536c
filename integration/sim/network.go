package sim

import (
	"context"
	"fmt"
	"net"
	"reflect"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
)

// hook sends each command at an instant of its own, and learns which call sends it.
type hook struct{ process *process }

func (k hook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (k hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		k.sends(callOf(ctx), cmd)
		return next(ctx, cmd)
	}
}

func (k hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c := callOf(ctx)
		if c != nil { // a script and its WAIT
			k.sends(c, cmds[0])
			return next(ctx, cmds)
		}
		p := k.process
		p.world.mu.Lock()
		for _, cmd := range cmds { // of renewals, or of several calls
			p.world.owns(callOf(contextOf(cmd)), cmd)
		}
		p.pipelines++
		n := p.pipelines
		p.world.mu.Unlock()
		time.Sleep(roll(p.world.Seed, "renew", p.life, n).upTo(200 * time.Microsecond))
		return next(ctx, cmds)
	}
}

// contextOf is the context that a command was made with. go-redis has no way to ask for it, and a pipeline's
// own is nobody's in particular.
func contextOf(cmd redis.Cmder) context.Context {
	c, isScript := cmd.(*redis.Cmd)
	if !isScript {
		return context.Background() // WAIT
	}
	ctx := reflect.ValueOf(c).Elem().FieldByName("ctx")
	return *(*context.Context)(ctx.Addr().UnsafePointer())
}

func (k hook) sends(c *Call, cmd redis.Cmder) {
	if c == nil {
		return // the client's own
	}
	p := k.process
	p.world.mu.Lock()
	p.world.owns(c, cmd)
	p.sent[c]++
	n := p.sent[c]
	p.world.mu.Unlock()
	time.Sleep(roll(p.world.Seed, "send", c.ID, n).upTo(200 * time.Microsecond))
}

// owns books whose token a command carries. The caller holds mu.
func (w *world) owns(c *Call, cmd redis.Cmder) {
	if args := cmd.Args(); c != nil && len(args) > 4 {
		if token, ok := args[4].(string); ok {
			w.calls[token] = c
		}
	}
}

// fate decides what befalls a trip.
func (p *process) fate(cmds []bubble.Command) bubble.Fault {
	w := p.world
	what := cmds[0].Name
	if c := w.sender(cmds[0]); c != nil && what != "renew" { // of several in a pipeline, any may be first
		what = fmt.Sprint(what, c.ID)
	}
	w.mu.Lock()
	p.trips[what]++ // each by itself: at one instant, a waiter's channel and a request may both send
	d, n := roll(w.Seed, "trip", p.life, what, p.trips[what]), w.Network
	w.mu.Unlock()

	f := bubble.Fault{DelayCommand: d.upTo(n.Lag), DelayReply: d.upTo(n.Lag)}
	told := ""
	is := d.Float64()
	befalls := func(probability float64) bool {
		is -= probability
		return is < 0 && is >= -probability
	}
	switch {
	case befalls(n.LoseCommand):
		f.LoseCommand, told = true, ", and is lost"
	case befalls(n.LoseReply):
		f.LoseReply, told = true, ", whose reply is lost"
	case befalls(n.LateCommand):
		f.DelayCommand, told = d.upTo(n.Late), ", and is late"
	case befalls(n.LateReply):
		f.DelayReply, told = d.upTo(n.Late), ", whose reply is late"
	case befalls(n.Unheard):
		f.DelayCommand, told = bubble.Forever, ", and never arrives"
	case befalls(n.Unanswered):
		f.DelayReply, told = bubble.Forever, ", and is never answered"
	}
	if cmds[0].Name == "push" {
		return f
	}
	if c := w.sender(cmds[0]); c != nil && c.CutOff && cmds[0].Name == "begin" && told == "" {
		f.DelayReply, told = d.upTo(w.Engine.Lock.Timeout), ", whose reply is late"
	}
	if f.LoseCommand || f.DelayCommand == bubble.Forever {
		for _, c := range cmds {
			w.history.note("%s sends %s%s", p.name, c.Name, told)
		}
	}
	sent := w.history.now()
	f.Meanwhile = func() { p.arrived(cmds, sent, f, told) }
	return f
}

// arrived books commands that have taken effect and whose reply is on its way.
func (p *process) arrived(cmds []bubble.Command, sent time.Duration, f bubble.Fault, told string) {
	w := p.world
	at := w.history.now()
	back := at + f.DelayReply
	if w.Engine.Lock.Acks > 0 && w.replicas.Load() == 0 {
		back += w.Engine.Lock.AckWithin // the pipeline's WAIT
	}
	for _, cmd := range cmds {
		name := cmd.Name
		if name == "act" {
			w.arrives(cmd, at, told)
		}
		c := w.sender(cmd)
		if c == nil {
			continue
		}
		a := Arrival{At: at, Heard: never, Name: name, Token: cmd.Args[0]}
		if !f.LoseReply && f.DelayReply < never/2 && back-sent < w.Engine.Lock.Timeout/2 {
			a.Heard = back // nobody waits much longer
		}
		if name == "begin" || name == "renew" {
			ms, _ := strconv.Atoi(cmd.Args[1])
			a.Lease = time.Duration(ms) * time.Millisecond
		}
		a.Unused = name == "release" && len(cmd.Args) > 3 && cmd.Args[3] == "1"
		w.mu.Lock()
		c.Arrivals = append(c.Arrivals, a)
		w.mu.Unlock()
		w.history.note("%s %v: %s reaches Redis%s", p.name, c, name, told)
		switch name {
		case "begin":
			p.reach(c, afterBegin)
		case "commit":
			p.reach(c, afterCommit)
		}
	}
}

// sender is the call that a command of ours is sent for.
func (w *world) sender(cmd bubble.Command) *Call {
	if len(cmd.Args) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[cmd.Args[0]]
}
