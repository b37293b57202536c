package lock

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// request does what requests do: a first one that holds the key, one that finds it held, a renewal,
// an attempt that fails, one that takes over and gives the key back, a commit, and a replay.
// Everything is sent once by its text, which loads it, or by its digest. able: no command that
// scripts use is refused, so that whatever fails here has not been found yet.
func (p *probe) request(
	ctx context.Context, c redis.UniversalClient, where, key string, able, channels bool,
) {
	s := p.server
	var heard *redis.PubSub
	if channels {
		heard = c.SSubscribe(ctx, key)
		defer heard.Close()
		if !p.subscribed(ctx, heard, where, "ssubscribe") {
			heard = nil
		}
	}
	defer func() { _ = s.client.Del(ctx, key).Err() }()

	lease := p.cfg.TTL
	one, two := newToken(), newToken()
	l := limits{lease: lease.Milliseconds(), remember: lease.Milliseconds(), inline: s.limits.inline}
	begin := func(token string) request { return l.begin(ctx, key, token, Terms{}) }
	value := "check " + two
	for _, step := range []struct {
		what  string
		send  request
		loads bool // sent by its text
		want  status
	}{
		{"a first request", begin(one), true, statusOK},
		{"a first request again", begin(one), false, statusOK}, // in acked mode, with its WAIT
		{"a request for a key in flight", begin(two), false, statusHeld},
		{"a renewal", l.renew(key, one, lease), true, statusOK},
		{"an attempt that fails", l.end(abandonScript, key, one), true, statusOK},
		{"an attempt after it", begin(two), false, statusOK},
		{"a key given back", l.end(releaseScript, key, two), true, statusOK},
		{"a commit", l.commit(key, two, []byte(value), lease), true, statusRestored},
		{"a replay", begin(one), false, statusDone},
	} {
		r, err := p.send(ctx, step.send, step.loads)
		switch {
		case err != nil:
			p.failed(where, step.what, err, able, step.loads)
			return
		case r.status != step.want:
			p.amiss("EVAL", where,
				fmt.Sprintf("another answer (%d) to %s", r.status, step.what), "what the script answers",
				"it doesn't run scripts as Redis does; see which servers docs/redis.md lists")
			return
		}
		if short := s.unconfirmed(r); short != nil && !step.loads && !p.found.has("replicas", where) {
			p.amiss("replicas", where, short.Error(), fmt.Sprintf("%d, for Acks", p.cfg.Acks),
				"every new key is refused until so many confirm; see that they are up and near, or lower Acks")
		}
	}
	if got, found, err := s.get(ctx, key); err != nil || !found || got != value {
		p.amiss("GET", where, fmt.Sprintf("another value, or none: %v", err), "what was committed",
			"long records can't be replayed; see that the client reads from the primary")
	}
	if heard != nil {
		p.hears(ctx, heard, where, key)
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

// failed finds amiss that a step has failed, unless it comes of what has been found already.
func (p *probe) failed(where, what string, err error, able, loads bool) {
	name, breaks := "evalsha", "every request is refused"
	if loads {
		name = "eval"
		breaks += " when Redis has forgotten its scripts (a restart, a failover, SCRIPT FLUSH)"
	}
	switch {
	case p.found.has("WAIT", where), p.found.has("ACL", where):
	case refusal(err):
		p.amiss(strings.ToUpper(name), where, err.Error(), "it allowed", breaks+"; "+allowed(name))
	case able:
		p.amiss(strings.ToUpper(name), where, err.Error(), "an answer to "+what,
			"requests like that are refused; see to what it says")
	}
}

// subscribed waits for the confirmation of a subscription, or of its end.
func (p *probe) subscribed(ctx context.Context, sub *redis.PubSub, where, name string) bool {
	for {
		event, err := sub.Receive(ctx)
		if s, isAbout := event.(*redis.Subscription); isAbout && s.Kind == name {
			return true
		}
		if err != nil {
			cure := "see to what it says"
			switch {
			case outside(err, "channel"):
				cure = "allow its channels (ACL SETUSER <user> &" + p.prefix + "*)"
			case refusal(err):
				cure = allowed(name)
			}
			p.amiss(strings.ToUpper(name), where, err.Error(), "a subscription",
				"those who wait for a key poll it; "+cure)
			return false
		}
	}
}

// hears finds out whether what the scripts have published came.
func (p *probe) hears(ctx context.Context, sub *redis.PubSub, where, key string) {
	for !p.found.has("SPUBLISH", where) { // else nothing will come
		event, err := sub.Receive(ctx)
		if _, isMessage := event.(*redis.Message); isMessage {
			break
		}
		if err != nil {
			p.amiss("SPUBLISH", where, "nothing heard: "+err.Error(), "what the scripts publish",
				"those who wait for a key poll it; "+allowed("spublish"))
			return
		}
	}
	if err := sub.SUnsubscribe(ctx, key); err == nil {
		p.subscribed(ctx, sub, where, "sunsubscribe")
	}
}
