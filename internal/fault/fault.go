// Package fault tells apart why Redis could not be asked: it answered with a refusal, the network or
// Redis itself is at fault, or nothing was asked because of the client or of the machine it runs on.
package fault

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Refused reports whether an error is an answer of Redis: it was reached, and said no.
func Refused(err error) bool {
	_, refused := reply(err)
	return refused
}

// Cause names the cause of an error by one of a few dozen words, for a log. It has nothing of the
// error's text, which may quote keys, arguments, user names and addresses.
func Cause(err error) string {
	if text, refused := reply(err); refused {
		return wordOf(text)
	}
	for _, c := range causes {
		if c.is(err) {
			return c.word
		}
	}
	return "other"
}

// Nobody's requests succeed while Redis answers so, or it answers so only when it has found the key
// free or abandoned: begin reads before it writes.
var outOfService = []string{"OOM", "READONLY", "NOREPLICAS", "MISCONF", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY"}

// With these, Redis refuses a client, a user or a command, and may well serve others.
var refusals = []string{"NOPERM", "NOAUTH", "WRONGPASS", "DENIED", "NOPROTO", "NOSCRIPT", "MOVED", "ASK",
	"TRYAGAIN", "CROSSSLOT", "WRONGTYPE", "EXECABORT"}

// phrases stand in refusals that begin with ERR.
var phrases = []struct{ text, word string }{
	{"ACL failure in script", "NOPERM in a script"},
	{"can't run this command", "NOPERM in a script"},
	{"max number of clients", "max number of clients reached"},
	{"Unknown Redis command called from script", "unknown command in a script"},
	{"unknown command", "unknown command"},
	{"invalid password", "WRONGPASS"},
	{"without any password configured", "a password where none is set"},
	{"no password is set", "a password where none is set"},
	{"DB index is out of range", "no such database number"},
	{"invalid DB index", "no such database number"},
}

// commands are those that reprise and its client send: their names in a refusal can be told.
var commands = []string{"EVALSHA", "EVAL", "GET", "WAIT", "ASKING", "PING", "INFO", "HELLO", "AUTH", "SELECT",
	"CLIENT", "CLUSTER", "COMMAND", "READONLY", "SSUBSCRIBE", "SPUBLISH"}

// reply returns the text of an error that Redis answered with.
func reply(err error) (text string, refused bool) {
	r, isReply := errors.AsType[redis.Error](err)
	if !isReply || r == redis.Nil {
		return "", false
	}
	return r.Error(), true
}

// wordOf names a refusal. A script's has its code in front in Redis 7, and further back in Redis 6, behind
// "ERR Error running script".
func wordOf(text string) string {
	for field := range strings.FieldsSeq(text) {
		code := strings.TrimLeft(field, "-")
		if slices.Contains(outOfService, code) || slices.Contains(refusals, code) {
			return withCommand(code, text)
		}
		if code != "ERR" && !strings.HasPrefix(text, "ERR Error ") {
			break
		}
	}
	for _, p := range phrases {
		if strings.Contains(text, p.text) {
			return withCommand(p.word, text)
		}
	}
	return "another refusal"
}

// withCommand adds the command that a refusal names first, if it is one of commands.
func withCommand(word, text string) string {
	if word != "NOPERM" && word != "unknown command" {
		return word
	}
	i := strings.IndexAny(text, "'`")
	if i < 0 {
		return word
	}
	name, _, _ := strings.Cut(strings.ToUpper(text[i+1:]), text[i:i+1])
	name, _, _ = strings.Cut(name, "|") // of a subcommand: cluster|slots
	if !slices.Contains(commands, name) {
		return word
	}
	return word + " " + name
}

// causes are those that are no answer, the first that fits. Whose they are says side.
var causes = []struct {
	word string
	side side
	is   func(error) bool
}{
	{"the client is closed", ours, is(redis.ErrClosed, net.ErrClosed)},
	{"the client's pool is used up", unclear, is(redis.ErrPoolTimeout, redis.ErrPoolExhausted)},
	{"a certificate or TLS is refused", ours, isTLS},
	{"this machine is out of descriptors, ports or memory", ours,
		is(syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM)},
	{"this machine may not connect", ours, is(syscall.EACCES, syscall.EPERM)},
	{"no answer in time", unclear, isTimeout},
	{"connection refused", theirs, is(syscall.ECONNREFUSED)},
	{"host not found", theirs, isA[*net.DNSError]},
	{"connection broken", theirs, is(io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE)},
	{"network error", theirs, isA[*net.OpError]},
}

// A side is where a fault lies.
type side uint8

const (
	ours    side = iota // in the client, this machine, or a setting: Redis may serve others
	theirs              // in Redis or in the network
	unclear             // time ran out, perhaps before anything was sent
)

func sideOf(err error) side {
	if text, refused := reply(err); refused {
		if slices.Contains(outOfService, wordOf(text)) {
			return theirs
		}
		return ours
	}
	for _, c := range causes {
		if c.is(err) {
			return c.side
		}
	}
	return ours
}

func is(targets ...error) func(error) bool {
	return func(err error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// isTimeout covers a deadline of a context, of a connection and of a dial. A connection's is that of the
// call, part of which may have gone by in the queue for the connection: it proves no more than the others.
func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// isTLS: an alert of the other side's is an OpError by this name.
func isTLS(err error) bool {
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" {
		return true
	}
	return isA[*tls.CertificateVerificationError](err) || isA[tls.RecordHeaderError](err) ||
		isA[x509.UnknownAuthorityError](err) || isA[x509.HostnameError](err) || isA[x509.CertificateInvalidError](err)
}
