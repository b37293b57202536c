package chaos

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// A point is where a machine can be stopped on a request's way.
type point string

const (
	beforeBeginReply point = "before begin's reply" // it is there, and nobody has read it
	afterBeginReply  point = "after begin's reply"  // the key is granted; the handler has not been called
	beforeEffect     point = "before the effect"    // in the handler
	afterEffect      point = "after the effect"     // in the handler
	beforeCommit     point = "before commit"        // the answer is ready; nothing has been sent
	afterCommit      point = "after commit"         // Redis has stored it; the engine has not been told
	beforeTheAnswer  point = "before the answer"    // the engine is done; nothing has been written
)

var points = []point{
	beforeBeginReply, afterBeginReply, beforeEffect, afterEffect, beforeCommit, afterCommit, beforeTheAnswer,
}

// A stopper stops a machine's first request that comes to its point: says so on standard output, and
// lets nothing go on. What then ends the process is for the parent. It lets all pass until the machine
// has answered once, and so is connected.
type stopper struct {
	at      point
	armed   atomic.Bool
	reached atomic.Bool
}

func (s *stopper) reach(p point) {
	if s.at == p && s.armed.Load() && s.reached.CompareAndSwap(false, true) {
		fmt.Println(p)
		select {}
	}
}

// beforeAnswer stops at an answer's first byte.
func (s *stopper) beforeAnswer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &stoppedAnswer{ResponseWriter: w, stop: s}
		next.ServeHTTP(answer, r)
		if answer.created {
			s.armed.Store(true)
		}
	})
}

type stoppedAnswer struct {
	http.ResponseWriter
	stop    *stopper
	created bool
}

func (a *stoppedAnswer) WriteHeader(status int) {
	if a.created = status == http.StatusCreated; a.created {
		a.stop.reach(beforeTheAnswer)
	}
	a.ResponseWriter.WriteHeader(status)
}

// The stopper is a hook on each node's client, which sees what go-redis sends and what it has read.

func (s *stopper) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *stopper) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		s.before(cmd)
		err := next(ctx, cmd)
		s.after(cmd)
		return err
	}
}

func (s *stopper) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		s.before(cmds...)
		err := next(ctx, cmds)
		s.after(cmds...)
		return err
	}
}

func (s *stopper) before(cmds ...redis.Cmder) {
	if s.at == beforeCommit && mentions(cmds, commitScript) {
		s.reach(beforeCommit)
	}
}

// after looks at replies. One that is an error, as for a script that the node doesn't know yet, is
// not the one that is waited for.
func (s *stopper) after(cmds ...redis.Cmder) {
	switch {
	case cmds[0].Err() != nil && !errors.Is(cmds[0].Err(), redis.Nil):
	case s.at == afterBeginReply && mentions(cmds, beginScript):
		s.reach(afterBeginReply)
	case s.at == afterCommit && mentions(cmds, commitScript):
		s.reach(afterCommit)
	}
}

// mentions tells whether one of the commands is a script, by its digest or its source.
func mentions(cmds []redis.Cmder, s script) bool {
	for _, cmd := range cmds {
		if args := cmd.Args(); len(args) > 1 && (args[1] == s.sha || args[1] == s.source) {
			return true
		}
	}
	return false
}

// watch stops a connection's first grant before it is read: begin's reply alone carries a claim.
func (s *stopper) watch(conn net.Conn) net.Conn {
	if conn == nil || s.at != beforeBeginReply {
		return conn
	}
	return &watchedConn{conn, s}
}

type watchedConn struct {
	net.Conn
	stop *stopper
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if bytes.Contains(p[:n], []byte("\nL1 ")) {
		c.stop.reach(beforeBeginReply)
	}
	return n, err
}

// A script is one of package lock's, as it goes into a command.
type script struct{ sha, source string }

var (
	beginScript  = readScript("begin")
	commitScript = readScript("commit")
)

func readScript(name string) script {
	var source string
	for _, part := range []string{"claim", name} {
		text, err := os.ReadFile(filepath.Join("..", "..", "lock", "script", part+".lua"))
		if err != nil {
			panic(err)
		}
		source += string(text)
	}
	sum := sha1.Sum([]byte(source))
	return script{hex.EncodeToString(sum[:]), source}
}
