package lock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// outcome is what came of trying the commands.
type outcome uint8

const (
	allAnswered outcome = iota
	someRefused         // which has been found, and will make scripts fail
	elsewhere           // the key is another node's
	unanswered          // and so will be whatever comes after
)

// A command is one that scripts and clients use, tried by itself: what a script says of it differs
// from version to version, and doesn't always name it.
type command struct {
	name     string
	args     []any // after the key
	keyless  bool
	optional bool // scripts do without
	breaks   string
}

var requiredCommands = []command{
	{name: "set", args: []any{"check", "PX", 60_000}, breaks: "every request is refused"},
	{name: "get", breaks: "every request for a known key is refused"},
	{name: "strlen", breaks: "every request is refused"},
	{name: "exists", breaks: "every new key is refused"},
	{name: "pttl", breaks: "every request for a held key is refused"},
	{name: "pexpire", args: []any{60_000}, breaks: "no lease is renewed, and work that outlasts one is lost"},
	{name: "time", keyless: true, breaks: "every new key is refused"},
	{name: "del", breaks: "a key whose work ended without a result stays held until its lease ends"},
}

var (
	spublishCommand = command{name: "spublish", args: []any{"check"}, optional: true,
		breaks: "those who wait for a key poll it"}
	askingCommand = command{name: "asking", keyless: true, optional: true,
		breaks: "while a slot moves to another node, its new keys are refused"}
	waitCommand = command{name: "wait", args: []any{0, 0}, keyless: true, optional: true,
		breaks: "every request is refused, as Acks can't be had"}
)

// tryCommands tries each in one round trip to the node itself, and names those that it doesn't take.
func (p *probe) tryCommands(
	ctx context.Context, c redis.UniversalClient, where, key string, channels bool,
) outcome {
	list := slices.Clone(requiredCommands)
	if channels {
		list = append(list, spublishCommand)
	}
	if p.cfg.Acks > 0 {
		list = append(list, waitCommand)
	}
	if p.server.cluster != nil {
		list = append(list, askingCommand) // the last: it concerns what comes after it
	}
	pipe := c.Pipeline()
	cmds := make([]*redis.Cmd, len(list))
	for i, cmd := range list {
		args := []any{cmd.name}
		if !cmd.keyless {
			args = append(args, key)
		}
		cmds[i] = pipe.Do(ctx, append(args, cmd.args...)...)
	}
	_, _ = pipe.Exec(ctx)

	result := allAnswered
	for i, cmd := range list {
		err := cmds[i].Err()
		_, isReply := errors.AsType[redis.Error](err)
		_, moved := redis.IsMovedError(err)
		_, ask := redis.IsAskError(err)
		upper := strings.ToUpper(cmd.name)
		switch {
		case err == nil || err == redis.Nil:
			continue
		case moved || ask || redis.IsTryAgainError(err):
			return elsewhere
		case !isReply:
			p.report(upper, where, err.Error(), "an answer", cmd.breaks+"; see that it is up")
			return unanswered
		case isOutsideOf(err, "key"):
			p.report("ACL", where, err.Error(), "a pattern for "+p.prefix+"*",
				"every request is refused; allow its keys (ACL SETUSER <user> ~"+p.prefix+"*)")
		case isOutsideOf(err, "channel"):
			p.report(upper, where, err.Error(), "it allowed",
				cmd.breaks+"; allow its channels (ACL SETUSER <user> &"+p.prefix+"*)")
		case isForbidden(err):
			p.report(upper, where, err.Error(), "it allowed", cmd.breaks+"; "+allowCommand(cmd.name))
		default:
			p.report(upper, where, err.Error(), "an answer", cmd.breaks+"; the error says why")
		}
		if !cmd.optional {
			result = someRefused
		}
	}
	return result
}

// allowCommand is the cure for a command that is refused.
func allowCommand(name string) string {
	return fmt.Sprintf("allow it (ACL SETUSER <user> +%s), and don't rename it; docs/redis.md has the least ACL", name)
}

// isForbidden tells whether a command itself, and not one of a script's, is forbidden to the user, or
// unknown.
func isForbidden(err error) bool {
	reply, ok := errors.AsType[redis.Error](err)
	if !ok {
		return false
	}
	text := reply.Error()
	return strings.HasPrefix(text, "NOPERM") && !strings.Contains(text, "in script") ||
		strings.HasPrefix(text, "ERR unknown command")
}

// forbiddenCommand is the command that a refusal names, or else the one that was tried.
func forbiddenCommand(err error, tried string) string {
	if _, after, found := strings.Cut(err.Error(), "permissions to run the '"); found && isForbidden(err) {
		name, _, _ := strings.Cut(after, "'")
		return name
	}
	return tried
}

// isOutsideOf tells whether it is the key, or the channel, that an ACL forbids.
func isOutsideOf(err error, what string) bool {
	return isForbidden(err) && strings.Contains(err.Error(), "access") && strings.Contains(err.Error(), what)
}
