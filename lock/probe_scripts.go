package lock

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// tryScripts does what requests do: a first one that holds the key, one that finds it held, a renewal,
// an attempt that fails, one that takes over and gives the key back, a commit, and a replay.
// Everything is sent once by its text, which loads it, or by its digest. able: no command that
// scripts use is refused, so that whatever fails here has not been found yet.
func (p *probe) tryScripts(
	ctx context.Context, c redis.UniversalClient, where, key string, able, channels bool,
) {
	s := p.server
	var heard *redis.PubSub
	if channels {
		heard = c.SSubscribe(ctx, key)
		defer heard.Close()
		if !p.awaitSubscription(ctx, heard, where, "ssubscribe") {
			heard = nil
		}
	}
	defer func() { _ = s.client.Del(ctx, key).Err() }()

	lease := p.cfg.TTL
	one, two := newLeaseID(key, newToken()), newLeaseID(key, newToken())
	q := requests{lease: lease.Milliseconds(), remember: lease.Milliseconds(), inline: s.requests.inline}
	begin := func(id leaseID) request { return q.begin(ctx, id, Terms{}) }
	value := "check " + two.token()
	for _, step := range []struct {
		what  string
		send  request
		loads bool // sent by its text
		want  status
	}{
		{"a first request", begin(one), true, statusOK},
		{"a first request again", begin(one), false, statusOK}, // in acked mode, with its WAIT
		{"a request for a held key", begin(two), false, statusHeld},
		{"a renewal", q.renew(one, lease), true, statusOK},
		{"an attempt that fails", q.end(abandonScript, one), true, statusOK},
		{"an attempt after it", begin(two), false, statusOK},
		{"a key given back", q.end(releaseScript, two), true, statusOK},
		{"a commit", q.commit(two, []byte(value), lease), true, statusRestored},
		{"a replay", begin(one), false, statusDone},
	} {
		r, err := p.send(ctx, step.send, step.loads)
		switch {
		case err != nil:
			if ctx.Err() != nil {
				p.reportTimeout(where, step.what, err)
			} else {
				p.reportFailed(where, step.what, err, able, step.loads)
			}
			return
		case r.status != step.want:
			p.report("EVAL", where,
				fmt.Sprintf("another answer (%d) to %s", r.status, step.what), "what the script answers",
				"it doesn't run scripts as Redis does; see which servers docs/redis.md lists")
			return
		}
		if short := s.unconfirmed(r); short != nil && !step.loads && !p.findings.has("replicas", where) {
			p.report("replicas", where, short.Error(), fmt.Sprintf("%d, for Acks", p.cfg.Acks),
				"every new key is refused until so many confirm; see that they are up and near, or lower Acks")
		}
	}
	if got, found, err := s.get(ctx, key); err != nil || !found || got != value {
		p.report("GET", where, fmt.Sprintf("another value, or none: %v", err), "what was committed",
			"long records can't be replayed; see that the client reads from the primary")
	}
	if heard != nil {
		p.awaitMessage(ctx, heard, where, key)
	}
}

// send sends a script as requests do, or by its text.
func (p *probe) send(ctx context.Context, req request, loads bool) (reply, error) {
	if !loads {
		return p.server.run(ctx, req)
	}
	cmd := req.eval(ctx)
	return p.server.result(cmd, p.server.client.Process(ctx, cmd))
}

// reportFailed reports that a step has failed, unless it comes of what has been found already.
func (p *probe) reportFailed(where, what string, err error, able, loads bool) {
	name, breaks := "evalsha", "every request is refused"
	if loads {
		name = "eval"
		breaks += " when Redis has forgotten its scripts (a restart, a failover, SCRIPT FLUSH)"
	}
	switch {
	case p.findings.has("WAIT", where), p.findings.has("ACL", where):
	case isForbidden(err):
		p.report(strings.ToUpper(name), where, err.Error(), "it allowed", breaks+"; "+allowCommand(name))
	case able:
		p.report(strings.ToUpper(name), where, err.Error(), "an answer to "+what,
			"requests like that are refused; the error says why")
	}
}

// reportTimeout reports that time has run out, unless replicas that don't confirm have taken it.
func (p *probe) reportTimeout(where, what string, err error) {
	if !p.findings.has("replicas", where) {
		p.report("Timeout", where, err.Error(), "an answer to "+what,
			"not all of it could be checked in time; see that it is up, or raise Timeout")
	}
}

// awaitSubscription waits for the confirmation of a subscription, or of its end.
func (p *probe) awaitSubscription(ctx context.Context, sub *redis.PubSub, where, name string) bool {
	for {
		event, err := sub.Receive(ctx)
		if s, isAbout := event.(*redis.Subscription); isAbout && s.Kind == name {
			return true
		}
		if err != nil {
			cure := "the error says why"
			switch {
			case isOutsideOf(err, "channel"):
				cure = "allow its channels (ACL SETUSER <user> &" + p.prefix + "*)"
			case isForbidden(err):
				cure = allowCommand(name)
			}
			p.report(strings.ToUpper(name), where, err.Error(), "a subscription",
				"those who wait for a key poll it; "+cure)
			return false
		}
	}
}

// awaitMessage finds out whether what the scripts have published came.
func (p *probe) awaitMessage(ctx context.Context, sub *redis.PubSub, where, key string) {
	for !p.findings.has("SPUBLISH", where) { // else nothing will come
		event, err := sub.Receive(ctx)
		if _, isMessage := event.(*redis.Message); isMessage {
			break
		}
		if err != nil {
			p.report("SPUBLISH", where, "nothing heard: "+err.Error(), "what the scripts publish",
				"those who wait for a key poll it; "+allowCommand("spublish"))
			return
		}
	}
	if err := sub.SUnsubscribe(ctx, key); err == nil {
		p.awaitSubscription(ctx, sub, where, "sunsubscribe")
	}
}
