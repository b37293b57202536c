package replay

import (
	"fmt"
	"slices"
	"strings"
)

// AbandonedPolicy is what happens when an earlier attempt failed or died, so that nobody knows what
// it did.
type AbandonedPolicy uint8

const (
	RunAgain      AbandonedPolicy = iota + 1 // "run": run, telling the work its attempt number
	RefuseUnknown                            // "refuse": ErrOutcomeUnknown, until the claim is forgotten
	AskReconcile                             // "reconcile": Request.Reconcile decides, holding the key
)

// FailurePolicy is what becomes of the key when the work returns an error or panics.
type FailurePolicy uint8

const (
	AbandonFailed FailurePolicy = iota + 1 // "abandon": the next attempt is told
	ReleaseFailed                          // "release": the next attempt is the first
)

// HangupPolicy is what happens when the caller's context ends while the work runs.
//
// With StopWithCaller, work that gives up has to say so: by an error, by a panic or, over HTTP, by a
// status of 500 and above. Work that just returns has answered, over HTTP with 200, and that is stored.
type HangupPolicy uint8

const (
	RunOn          HangupPolicy = iota // "run": the work goes on, up to the longest hold, and is stored
	StopWithCaller                     // "stop": the work's context ends with the caller's
)

// StoreDownPolicy is what happens when Redis can't be asked before the work.
//
// RunUnguarded is for a Redis that is down: it refuses connections, breaks them, hangs, or can serve
// nobody (it is full, loading, or without a primary). Two kinds of failure are refused all the same,
// since another request may hold the key: those after Redis has said anything about the key, and those
// of the client's own, such as a pool that is used up, a client that is closed, a wrong password or
// missing right, a redirect. To tell a hung Redis from a pool that is used up takes a PING on a
// connection outside the pool, and up to Lock.Timeout more.
type StoreDownPolicy uint8

const (
	Refuse       StoreDownPolicy = iota + 1 // "refuse": ErrUnavailable
	RunUnguarded                            // "run": run without a claim, and store nothing
)

// CommitDownPolicy is what happens when the answer can't be stored before the hold ends, or when Redis
// has refused it for as long as a lease lasts.
type CommitDownPolicy uint8

const (
	AnswerUnstored   CommitDownPolicy = iota // "answer": give it, with Result.Stored false
	WithholdUnstored                         // "refuse": ErrUnavailable
)

var (
	abandonedWords  = []string{"", "run", "refuse", "reconcile"}
	failureWords    = []string{"", "abandon", "release"}
	hangupWords     = []string{"run", "stop"}
	storeDownWords  = []string{"", "refuse", "run"}
	commitDownWords = []string{"answer", "refuse"}
)

// UnmarshalText reads run, refuse or reconcile.
func (p *AbandonedPolicy) UnmarshalText(text []byte) error { return choose(p, text, abandonedWords) }

// UnmarshalText reads abandon or release.
func (p *FailurePolicy) UnmarshalText(text []byte) error { return choose(p, text, failureWords) }

// UnmarshalText reads run or stop.
func (p *HangupPolicy) UnmarshalText(text []byte) error { return choose(p, text, hangupWords) }

// UnmarshalText reads refuse or run.
func (p *StoreDownPolicy) UnmarshalText(text []byte) error { return choose(p, text, storeDownWords) }

// UnmarshalText reads answer or refuse.
func (p *CommitDownPolicy) UnmarshalText(text []byte) error { return choose(p, text, commitDownWords) }

// choose sets a policy to the one that its word names.
func choose[P ~uint8](p *P, text []byte, words []string) error {
	i := slices.Index(words, string(text))
	if i < 0 || len(text) == 0 {
		return fmt.Errorf("one of %s", strings.TrimPrefix(strings.Join(words, ", "), ", "))
	}
	*p = P(i)
	return nil
}
