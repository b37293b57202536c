// Package fault classifies the errors of a Redis client, and finds out whether Redis is down.
//
// An error is an error reply of Redis, a fault of Redis or of the network, or a fault of this side: of
// the client, its settings, or the machine that it runs on.
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

// Refused reports whether err is an error reply: Redis was reached, and refused the command.
func Refused(err error) bool {
	_, refused := errorReply(err)
	return refused
}

// Cause names the cause of err, for a log, by one of a few dozen fixed words. It quotes nothing of
// the error's text, which may have keys, arguments, user names and addresses in it.
func Cause(err error) string {
	if text, ok := errorReply(err); ok {
		return wordOf(text)
	}
	for _, c := range causes {
		if c.is(err) {
			return c.word
		}
	}
	return "other"
}

// outOfService are error replies that every client gets. Some are for writes alone; since the begin
// script reads before it writes, it gets these only for a key that is free or abandoned.
var outOfService = []string{"OOM", "READONLY", "NOREPLICAS", "MISCONF", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY"}

// refusals are error replies to one client, one user or one command. Redis may serve others.
var refusals = []string{"NOPERM", "NOAUTH", "WRONGPASS", "DENIED", "NOPROTO", "NOSCRIPT", "MOVED", "ASK",
	"TRYAGAIN", "CROSSSLOT", "WRONGTYPE", "EXECABORT"}

// phrases are parts of error replies that begin with ERR, and the words by which Cause names them.
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

// commands are those that reprise and go-redis send. Cause may name them: they quote no user's
// text.
var commands = []string{"EVALSHA", "EVAL", "GET", "WAIT", "ASKING", "PING", "INFO", "HELLO", "AUTH", "SELECT",
	"CLIENT", "CLUSTER", "COMMAND", "READONLY", "SSUBSCRIBE", "SPUBLISH"}

// errorReply returns the text of err, if err is an error reply of Redis.
func errorReply(err error) (text string, ok bool) {
	r, isReply := errors.AsType[redis.Error](err)
	if !isReply || r == redis.Nil {
		return "", false
	}
	return r.Error(), true
}

// wordOf names an error reply. For an error in a script, Redis 7 begins with its code, and Redis 6
// with "ERR Error running script" and has the code further back.
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

// withCommand adds the first command that an error reply quotes, if it is one of commands.
func withCommand(word, text string) string {
	if word != "NOPERM" && word != "unknown command" {
		return word
	}
	i := strings.IndexAny(text, "'`")
	if i < 0 {
		return word
	}
	name, _, _ := strings.Cut(strings.ToUpper(text[i+1:]), text[i:i+1])
	name, _, _ = strings.Cut(name, "|") // a subcommand, as in cluster|slots
	if !slices.Contains(commands, name) {
		return word
	}
	return word + " " + name
}

// causes are the causes of errors that are no error reply. The first that matches counts.
var causes = []struct {
	word string
	side side
	is   func(error) bool
}{
	{"the client is closed", local, is(redis.ErrClosed, net.ErrClosed)},
	{"the client's pool is used up", unclear, is(redis.ErrPoolTimeout, redis.ErrPoolExhausted)},
	{"a certificate or TLS is refused", local, isTLS},
	{"this machine is out of descriptors, ports or memory", local,
		is(syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM)},
	{"this machine may not connect", local, is(syscall.EACCES, syscall.EPERM)},
	{"no answer in time", unclear, isTimeout},
	{"connection refused", remote, is(syscall.ECONNREFUSED)},
	{"host not found", remote, isA[*net.DNSError]},
	{"connection broken", remote, is(io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE)},
	{"network error", remote, isA[*net.OpError]},
}

// A side is the place of a fault.
type side uint8

const (
	local   side = iota // the client, its settings or this machine: Redis may serve others
	remote              // Redis or the network
	unclear             // time ran out, perhaps before anything was sent
)

func sideOf(err error) side {
	if text, ok := errorReply(err); ok {
		if slices.Contains(outOfService, wordOf(text)) {
			return remote
		}
		return local
	}
	for _, c := range causes {
		if c.is(err) {
			return c.side
		}
	}
	return local
}

// is returns a function that reports whether an error is one of targets.
func is(targets ...error) func(error) bool {
	return func(err error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// isTimeout covers the deadlines of a context, of a connection and of a dial. That of a connection
// proves no more than the others: the call may have spent its time waiting for the connection.
func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// isTLS reports whether TLS failed. A TLS alert of the server is an OpError named "remote error".
func isTLS(err error) bool {
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" {
		return true
	}
	return isA[*tls.CertificateVerificationError](err) || isA[tls.RecordHeaderError](err) ||
		isA[x509.UnknownAuthorityError](err) || isA[x509.HostnameError](err) || isA[x509.CertificateInvalidError](err)
}
