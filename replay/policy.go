package replay

// A policy is the word that its environment variable takes; "" means the field's default. Words lists
// every accepted word.

// AbandonedPolicy is what happens when an earlier attempt failed or died, so that nobody knows what
// it did.
type AbandonedPolicy string

const (
	RunAgain      AbandonedPolicy = "run"       // run, telling the work its attempt number
	RefuseUnknown AbandonedPolicy = "refuse"    // ErrOutcomeUnknown, until the claim is forgotten
	AskReconcile  AbandonedPolicy = "reconcile" // Request.Reconcile decides, holding the key
)

// Words returns every AbandonedPolicy.
func (AbandonedPolicy) Words() []AbandonedPolicy {
	return []AbandonedPolicy{RunAgain, RefuseUnknown, AskReconcile}
}

// FailurePolicy is what becomes of the key when the work returns an error or panics.
type FailurePolicy string

const (
	AbandonFailed FailurePolicy = "abandon" // the next attempt is told
	ReleaseFailed FailurePolicy = "release" // the next attempt is the first
)

// Words returns every FailurePolicy.
func (FailurePolicy) Words() []FailurePolicy { return []FailurePolicy{AbandonFailed, ReleaseFailed} }

// HangupPolicy is what happens when the caller's context ends while the work runs.
//
// With StopWithCaller, work that gives up has to say so: by an error, by a panic or, over HTTP, by a
// status of 500 and above. Work that just returns has answered, over HTTP with 200, and that is stored.
type HangupPolicy string

const (
	RunOn          HangupPolicy = "run"  // the work goes on, up to the longest hold, and is stored
	StopWithCaller HangupPolicy = "stop" // the work's context ends with the caller's
)

// Words returns every HangupPolicy.
func (HangupPolicy) Words() []HangupPolicy { return []HangupPolicy{RunOn, StopWithCaller} }

// StoreDownPolicy is what happens when Redis can't be asked before the work.
//
// RunUnguarded is for a Redis that is down: it refuses connections, breaks them, hangs, or can serve
// nobody (it is full, loading, or without a primary). Two kinds of failure are refused all the same,
// since another request may hold the key: those after Redis has said anything about the key, and those
// of the client's own, such as a pool that is used up, a client that is closed, a wrong password or
// missing right, a redirect. To tell a hung Redis from a pool that is used up takes a PING on a
// connection outside the pool, and up to Lock.Timeout more.
type StoreDownPolicy string

const (
	Refuse       StoreDownPolicy = "refuse" // ErrUnavailable
	RunUnguarded StoreDownPolicy = "run"    // run without a claim, and store nothing
)

// Words returns every StoreDownPolicy.
func (StoreDownPolicy) Words() []StoreDownPolicy { return []StoreDownPolicy{Refuse, RunUnguarded} }

// CommitDownPolicy is what happens when the answer can't be stored before the hold ends, or when Redis
// has refused it for as long as a lease lasts.
type CommitDownPolicy string

const (
	AnswerUnstored   CommitDownPolicy = "answer" // give it, with Result.Stored false
	WithholdUnstored CommitDownPolicy = "refuse" // ErrUnavailable
)

// Words returns every CommitDownPolicy.
func (CommitDownPolicy) Words() []CommitDownPolicy {
	return []CommitDownPolicy{AnswerUnstored, WithholdUnstored}
}
