package replay

import (
	"context"
	"time"

	"github.com/reprise-go/reprise/cache"
)

// A Request says which work is asked for.
type Request struct {
	// Scope is whose key it is: a tenant, say. The same key in another scope is another key.
	Scope string

	// Key names the work: at least one byte. It is stored as a digest only.
	Key string

	// Fingerprint tells requests apart that share a key: at most 128 bytes of printable ASCII without
	// spaces, other than "-", such as a digest of the request in hex. Empty is for requests that have nothing to tell
	// apart; such a request is never the same as one with a fingerprint.
	Fingerprint string

	// Authorize says whether the caller may learn anything of a key that has been used: an error
	// refuses with ErrReplayRefused, whatever the state of the key. It is asked once, before all that
	// the state could tell or cause: a replay, a comparison, a wait, a takeover, Reconcile. It is not
	// asked about a free key, whose work decides for itself, until that finds an effect of before: see
	// [Work.Match]. Nil allows all. With it, waiting and
	// taking over cost one round trip more.
	Authorize func(context.Context) error

	// Reconcile decides when an earlier attempt failed or died and Config.OnAbandoned is
	// AskReconcile. It runs in place of the work, holding the key, with an Attempt on its context;
	// an error from it refuses with ErrOutcomeUnknown. With Done, its Answer is kept and given in place
	// of the work's.
	Reconcile func(context.Context) (Decision, Answer, error)

	// Same reports whether the stored fingerprint, though different, belongs to this same request: it
	// may have been made in another way, by the release before a deployment, say. An error means that
	// this can't be told here, and makes Do return ErrUnavailable, for another machine may know. Nil
	// means that they never are the same. After a yes, taking over or waiting costs one more round trip, to ask by the stored
	// fingerprint.
	Same func(fingerprint string) (bool, error)

	// Bounds are what the answers to such requests may be, encoded, where that is less than
	// Config.Cache.MaxDecoded allows. As with that, a larger answer is not kept, and a record of one
	// is not read: Result.Decode returns cache.ErrTooLarge with ErrUnreadable. Zero is no bound.
	Bounds cache.Bounds

	// Route and Dialect are for Trace alone: which way the request came, such as the pattern of a mux
	// or the name of a job, and whose words its client hears, such as "problem" or "grpc". Telemetry
	// counts by them, so each is one of a few that the program knows, and nothing of the client's.
	Route   string
	Dialect string

	// These override the Config fields of the same name; zero keeps Config's. Wait takes NoWait, too.
	Wait        time.Duration
	OnAbandoned AbandonedPolicy
	OnFailure   FailurePolicy
	OnStoreDown StoreDownPolicy
}

// NoWait as Request.Wait makes a duplicate of a request in progress get ErrInProgress at once.
const NoWait time.Duration = -1

// A Decision is what Reconcile found out about the work of an earlier attempt.
type Decision uint8

const (
	Undecided Decision = iota // refuse with ErrOutcomeUnknown, and ask again next time
	NotDone                   // the work has not been done: run it
	Done                      // the work has been done, and this is its answer
)

// An Answer is what the work returns to be kept and given, and what to do with it.
type Answer struct {
	Value     any           // encoded with msgpack by its fields' names
	Verdict   Verdict       // Zero means Keep.
	Retention time.Duration // Zero means Config.Retention.
}

// A Verdict is what becomes of the key after the work.
type Verdict uint8

const (
	Keep      Verdict = iota // store the answer and replay it
	Release                  // nothing has happened: the next request is the first
	Abandon                  // what has happened is unknown: the next attempt is told
	Tombstone                // it has happened, and the answer isn't kept: ErrReplayUnavailable from now on
)
