package lock

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/internal/nodename"
	"github.com/reprise-go/reprise/internal/redisurl"
)

// A probe finds out by asking and by trying what can be known of a server, all its nodes at once.
type probe struct {
	server   *server
	cfg      Config
	prefix   string
	channels bool        // waiters will listen
	answered atomic.Bool // a node has answered, if only by an error
	findings findings
}

// run returns when all is known, or at the end of ctx.
func (p *probe) run(ctx context.Context) {
	all := func() (struct{}, error) { p.tryNodes(ctx); return struct{}{}, nil }
	if _, err := withDeadline(ctx, p.server, all, nil); err != nil {
		p.report("Timeout", "server", err.Error(), "an answer",
			"not all of it could be checked in time; see that it is up, or raise Timeout")
	}
}

func (p *probe) report(setting, where, got, want, cure string) {
	p.findings.add(&SettingError{Setting: setting, Where: where, Got: got, Want: want, Cure: cure})
}

func (p *probe) tryNodes(ctx context.Context) {
	if p.server.cluster == nil {
		where := "Redis"
		if c, ok := p.server.client.(*redis.Client); ok {
			where = nodename.Of(c)
		}
		p.tryNode(ctx, p.server.client, where)
		return
	}
	err := p.server.cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		p.tryNode(ctx, c, c.Options().Addr)
		return nil
	})
	if err == nil {
		return
	}
	p.noteReply(err)
	const slots = "cluster|slots"
	name, cure := forbiddenCommand(err, slots), "its settings could not be checked; "+
		redisurl.Cure(p.server.cluster, err)
	switch {
	case name != slots:
		p.reportNoConnection(name, "cluster", err)
		return
	case isForbidden(err):
		cure = "no node of the cluster can be found without it; " + allowCommand(slots)
	case strings.Contains(err.Error(), "cluster support disabled"):
		cure = "this is no cluster; use a client for one server (leave ?cluster=true out of the URL, or redis.NewClient)"
	}
	p.report("CLUSTER SLOTS", "cluster", err.Error(), "an answer", cure)
}

// noteReply notes whether a command with this error was answered.
func (p *probe) noteReply(err error) {
	if _, isReply := errors.AsType[redis.Error](err); isReply || err == nil {
		p.answered.Store(true)
	}
}

// reportNoConnection reports that a command is refused without which no connection opens.
func (p *probe) reportNoConnection(name, where string, err error) {
	p.report(strings.ToUpper(name), where, err.Error(), "it allowed", "no connection can be made; "+allowCommand(name))
}

// tryNode probes one primary.
func (p *probe) tryNode(ctx context.Context, c redis.UniversalClient, where string) {
	text, err := c.Info(ctx).Result()
	p.noteReply(err)
	fit, channels := true, p.channels
	switch {
	case err == nil:
		info := parseInfo(text)
		var found []*SettingError
		found, fit = nodeFindings(where, info, p.cfg, p.server.cluster != nil)
		p.findings.add(found...)
		channels = channels && major(info) >= oldest // else that has been found already
	case forbiddenCommand(err, "info") != "info":
		p.reportNoConnection(forbiddenCommand(err, "info"), where, err)
		return
	case isForbidden(err):
		p.report("INFO", where, err.Error(), "an answer", "its settings could not be checked; "+allowCommand("info"))
	default:
		p.report("INFO", where, err.Error(), "an answer", "its settings could not be checked; "+redisurl.Cure(c, err))
		return
	}
	if !fit {
		return
	}

	// A key whose slot is on its way to another node says nothing of this one.
	name := p.prefix + "check-" + newToken()
	var key string
	var tried outcome
	next := 0
	for more := 3; more > 0; more-- {
		if key, next = p.keyAt(ctx, c, name, next); key == "" {
			return // of all keys with that prefix it serves none
		}
		if tried = p.tryCommands(ctx, c, where, key, channels); tried != elsewhere {
			break
		}
	}
	switch tried {
	case unanswered:
		return
	case elsewhere: // all that the prefix allows: requests find their way, and channels don't
		channels = false
	case someRefused: // what it has left behind is in the way
		if key, _ = p.keyAt(ctx, c, name, next); key == "" {
			return
		}
	}
	p.tryScripts(ctx, c, where, key, tried != someRefused, channels)
}

// keyAt finds a name that the node serves, beginning at a number, and returns the number after it.
// Where it is one of many it takes many tries, which cost no round trips; 2¹⁸ find a node that
// serves one slot of the 2¹⁴ as good as always.
func (p *probe) keyAt(
	ctx context.Context, c redis.UniversalClient, name string, from int,
) (key string, next int) {
	node, one := c.(*redis.Client)
	for i := from; i < 1<<18 && ctx.Err() == nil; i++ {
		key := name + "-" + strconv.Itoa(i)
		if p.server.cluster == nil {
			return key, i + 1
		}
		master, err := p.server.cluster.MasterForKey(ctx, key)
		if err == nil && one && master.Options().Addr == node.Options().Addr {
			return key, i + 1
		}
	}
	return "", 0
}
