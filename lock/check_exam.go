package lock

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// findings gathers what several nodes' exams find, until it is closed.
type findings struct {
	mu     sync.Mutex
	all    []*SettingError
	closed bool
}

// add notes a finding, unless the same setting of the same node has been found amiss already.
func (f *findings) add(found ...*SettingError) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range found {
		if !f.closed && !f.hasLocked(e.Setting, e.Where) {
			f.all = append(f.all, e)
		}
	}
}

func (f *findings) has(setting, where string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hasLocked(setting, where)
}

func (f *findings) hasLocked(setting, where string) bool {
	return slices.ContainsFunc(f.all, func(e *SettingError) bool { return e.Setting == setting && e.Where == where })
}

// close returns what has been found. A client that outlasts its context may find more, for nobody.
func (f *findings) close() []*SettingError {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return f.all
}

// An exam finds out by asking and by trying what can be known of a server, all its nodes at once.
type exam struct {
	server   *server
	cfg      Config
	prefix   string
	channels bool // waiters will listen
	found    findings
}

// run returns when all is known, or at the end of ctx.
func (e *exam) run(ctx context.Context) {
	examine := func() (struct{}, error) { e.servers(ctx); return struct{}{}, nil }
	if e.server.obedient {
		_, _ = examine()
		return
	}
	if _, err := impatient(ctx, examine, func(struct{}) {}); err != nil {
		e.amiss("Timeout", "server", err.Error(), "an answer",
			"not all of it could be checked in time; see that it is up, or raise Timeout")
	}
}

func (e *exam) amiss(setting, where, got, want, cure string) {
	e.found.add(&SettingError{Setting: setting, Where: where, Got: got, Want: want, Cure: cure})
}

func (e *exam) servers(ctx context.Context) {
	if e.server.cluster == nil {
		where := "Redis"
		if c, ok := e.server.client.(*redis.Client); ok {
			where = c.Options().Addr
		}
		e.node(ctx, e.server.client, where)
		return
	}
	err := e.server.cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		e.node(ctx, c, c.Options().Addr)
		return nil
	})
	if err == nil {
		return
	}
	const slots = "cluster|slots"
	name, cure := forbidden(err, slots), "its settings could not be checked; see that it is up"
	switch {
	case name != slots:
		e.barred(name, "cluster", err)
		return
	case refusal(err):
		cure = "no node of the cluster can be found without it; " + allowed(slots)
	case strings.Contains(err.Error(), "cluster support disabled"):
		cure = "this is no cluster; use a client for one server (leave ?cluster=true out of the URL, or redis.NewClient)"
	}
	e.amiss("CLUSTER SLOTS", "cluster", err.Error(), "an answer", cure)
}

// barred finds amiss what opening a connection takes.
func (e *exam) barred(name, where string, err error) {
	e.amiss(strings.ToUpper(name), where, err.Error(), "it allowed", "no connection can be made; "+allowed(name))
}

// node examines one primary.
func (e *exam) node(ctx context.Context, c redis.UniversalClient, where string) {
	text, err := c.Info(ctx).Result()
	fit, channels := true, e.channels
	switch {
	case err == nil:
		info := parseInfo(text)
		var found []*SettingError
		found, fit = nodeFindings(where, info, e.cfg, e.server.cluster != nil)
		e.found.add(found...)
		channels = channels && major(info) >= oldest // else that has been found already
	case forbidden(err, "info") != "info":
		e.barred(forbidden(err, "info"), where, err)
		return
	case refusal(err):
		e.amiss("INFO", where, err.Error(), "an answer", "its settings could not be checked; "+allowed("info"))
	default:
		e.amiss("INFO", where, err.Error(), "an answer", "its settings could not be checked; see that it is up, and who may connect")
		return
	}
	if !fit {
		return
	}

	// A key whose slot is on its way to another node says nothing of this one.
	name := e.prefix + "check-" + newToken()
	var key string
	var tried outcome
	next := 0
	for more := 3; more > 0; more-- {
		if key, next = e.keyAt(ctx, c, name, next); key == "" {
			return // of all keys with that prefix it serves none
		}
		if tried = e.commands(ctx, c, where, key, channels); tried != elsewhere {
			break
		}
	}
	switch tried {
	case unanswered:
		return
	case elsewhere: // all that the prefix allows: requests find their way, and channels don't
		channels = false
	case someRefused: // what it has left behind is in the way
		if key, _ = e.keyAt(ctx, c, name, next); key == "" {
			return
		}
	}
	e.request(ctx, c, where, key, tried != someRefused, channels)
}

// keyAt finds a name that the node serves, beginning at a number, and returns the number after it.
// Where it is one of many it takes many tries, which cost no round trips; 2¹⁸ find a node that serves
// one slot of the 2¹⁴ as good as always.
func (e *exam) keyAt(ctx context.Context, c redis.UniversalClient, name string, from int) (key string, next int) {
	node, one := c.(*redis.Client)
	for i := from; i < 1<<18 && ctx.Err() == nil; i++ {
		key := name + "-" + strconv.Itoa(i)
		if e.server.cluster == nil {
			return key, i + 1
		}
		master, err := e.server.cluster.MasterForKey(ctx, key)
		if err == nil && one && master.Options().Addr == node.Options().Addr {
			return key, i + 1
		}
	}
	return "", 0
}

// request does what requests do: a first one that holds the key, one that finds it held, a renewal, an
// attempt that fails, one that takes over and gives the key back, a commit, and a replay. Everything is
// sent once by its text, which loads it, or by its digest. able: no command that scripts use is refused,
// so that whatever fails here has not been found yet.
func (e *exam) request(ctx context.Context, c redis.UniversalClient, where, key string, able, channels bool) {
	s := e.server
	var heard *redis.PubSub
	if channels {
		heard = c.SSubscribe(ctx, key)
		defer heard.Close()
		if !e.subscribed(ctx, heard, where, "ssubscribe") {
			heard = nil
		}
	}
	defer func() { _ = s.client.Del(ctx, key).Err() }()

	lease := e.cfg.TTL.Milliseconds()
	one, two := newToken(), newToken()
	begin := func(token string) []any {
		return append(beginScript.args(key), token, lease, lease, noFingerprint, yes, s.inline)
	}
	ends := func(sc *script, token string) []any { return append(sc.args(key), token, s.inline, lease) }
	value := "check " + two
	for _, step := range []struct {
		what   string
		script *script
		args   []any
		loads  bool
		want   status
	}{
		{"a first request", beginScript, begin(one), true, ok},
		{"a first request again", beginScript, begin(one), false, ok}, // in acked mode, with its WAIT
		{"a request for a key in flight", beginScript, begin(two), false, held},
		{"a renewal", renewScript, append(renewScript.args(key), one, lease, lease), true, ok},
		{"an attempt that fails", abandonScript, ends(abandonScript, one), true, ok},
		{"an attempt after it", beginScript, begin(two), false, ok},
		{"a key given back", releaseScript, ends(releaseScript, two), true, ok},
		{"a commit", commitScript, append(commitScript.args(key), two, value, lease, s.inline), true, restored},
		{"a replay", beginScript, begin(one), false, done},
	} {
		r, err := e.send(ctx, step.script, step.args, step.loads)
		switch {
		case err != nil:
			e.failed(where, step.what, err, able, step.loads)
			return
		case r.status != step.want:
			e.amiss("EVAL", where, fmt.Sprintf("another answer (%d) to %s", r.status, step.what), "what the script answers",
				"it doesn't run scripts as Redis does; see which servers docs/redis.md lists")
			return
		}
		if short := s.unconfirmed(r); short != nil && !step.loads && !e.found.has("replicas", where) {
			e.amiss("replicas", where, short.Error(), fmt.Sprintf("%d, for Acks", e.cfg.Acks),
				"every new key is refused until so many confirm; see that they are up and near, or lower Acks")
		}
	}
	if got, found, err := s.get(ctx, key); err != nil || !found || got != value {
		e.amiss("GET", where, fmt.Sprintf("another value, or none: %v", err), "what was committed",
			"long records can't be replayed; see that the client reads from the primary")
	}
	if heard != nil {
		e.hears(ctx, heard, where, key)
	}
}

// send sends a script as requests do, or by its text.
func (e *exam) send(ctx context.Context, sc *script, args []any, loads bool) (reply, error) {
	if !loads {
		return e.server.run(ctx, sc, args, nil)
	}
	cmd := sc.loading(ctx, args)
	return e.server.result(cmd, e.server.client.Process(ctx, cmd))
}

func (e *exam) failed(where, what string, err error, able, loads bool) {
	name := "evalsha"
	if loads {
		name = "eval"
	}
	breaks := map[string]string{"evalsha": "every request is refused", "eval": "every request is refused when Redis has forgotten its scripts (a restart, a failover, SCRIPT FLUSH)"}[name]
	switch {
	case e.found.has("WAIT", where), e.found.has("ACL", where): // which this comes of
	case refusal(err):
		e.amiss(strings.ToUpper(name), where, err.Error(), "it allowed", breaks+"; "+allowed(name))
	case able:
		e.amiss(strings.ToUpper(name), where, err.Error(), "an answer to "+what, "requests like that are refused; see to what it says")
	}
}

// subscribed waits for the confirmation of a subscription, or of its end.
func (e *exam) subscribed(ctx context.Context, p *redis.PubSub, where, name string) bool {
	for {
		event, err := p.Receive(ctx)
		if s, isAbout := event.(*redis.Subscription); isAbout && s.Kind == name {
			return true
		}
		if err != nil {
			cure := "see to what it says"
			switch {
			case outside(err, "channel"):
				cure = "allow its channels (ACL SETUSER <user> &" + e.prefix + "*)"
			case refusal(err):
				cure = allowed(name)
			}
			e.amiss(strings.ToUpper(name), where, err.Error(), "a subscription", "those who wait for a key poll it; "+cure)
			return false
		}
	}
}

// hears finds out whether what the scripts have published came.
func (e *exam) hears(ctx context.Context, p *redis.PubSub, where, key string) {
	for !e.found.has("SPUBLISH", where) { // else nothing will come
		event, err := p.Receive(ctx)
		if _, isMessage := event.(*redis.Message); isMessage {
			break
		}
		if err != nil {
			e.amiss("SPUBLISH", where, "nothing heard: "+err.Error(), "what the scripts publish",
				"those who wait for a key poll it; "+allowed("spublish"))
			return
		}
	}
	if err := p.SUnsubscribe(ctx, key); err == nil {
		e.subscribed(ctx, p, where, "sunsubscribe")
	}
}
