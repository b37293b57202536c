package httpadapter

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/reprise-go/reprise/replay"
)

// An exchange is one request under a key, and its answer. Adapter.serve asks the engine for the
// key; the engine runs work, whose judge says what becomes of the handler's answer; and answer
// gives the client what the engine decided.
type exchange struct {
	adapter   *Adapter
	w         http.ResponseWriter
	r         *http.Request
	next      http.Handler
	scope     string
	key       string
	keyHeader string // the field that the key came in, or should come in
	body      []byte
	identity  identity
	access    Authorization // as Config.Authorize said

	working  context.Context // of the handler or of Reconcile, whichever ran last
	reread   rereadBody      // the body, for either to read
	recorder *recorder       // of what either writes
	first    recorder        // most requests need no other

	fresh   record         // what was answered,
	verdict replay.Verdict // what becomes of that,
	stored  record         // and what is stored of it, if that is replay.Keep
	failed  *failure       // why the key is abandoned, though the client gets the handler's answer
}

// work runs the handler and says what becomes of its answer.
func (x *exchange) work(ctx context.Context) (replay.Answer, error) {
	x.identity.free() // A handler may take long.
	x.startRecorder(ctx)
	defer x.recorder.close()
	x.next.ServeHTTP(x.recorder, x.request(ctx))
	answer := x.judge()
	if answer.Verdict == replay.Abandon {
		x.failed = &failure{x.fresh.Status}
		return answer, x.failed
	}
	return answer, nil
}

// A failure is an answer that leaves open what was done, as an error for the engine, whose
// OnFailure decides about the key.
type failure struct{ status int }

func (f *failure) Error() string {
	return fmt.Sprintf("httpadapter: the handler answered %d", f.status)
}

// startRecorder makes a recorder for the handler or for Reconcile. Each has its own: what Reconcile
// leaves behind must not write into the handler's answer.
func (x *exchange) startRecorder(ctx context.Context) {
	x.working = ctx
	if x.recorder == nil {
		x.recorder = &x.first
	} else {
		x.recorder = new(recorder)
	}
	x.recorder.start(x)
}

// judge ends the recording, and says what becomes of the answer and of the key.
func (x *exchange) judge() replay.Answer {
	x.fresh = x.recorder.finish()
	status, header := x.fresh.Status, x.recorder.header
	if x.recorder.isShort() {
		// As from net/http, the client gets a broken connection, and no retry gets half an answer
		// for a whole one. The length breaks it also where a recovery around us keeps the panic to
		// itself.
		x.w.Header()["Content-Length"] = header["Content-Length"]
		panic(http.ErrAbortHandler)
	}
	x.verdict = x.adapter.verdict(status, header, x.fresh.Body)
	if x.verdict == replay.Keep && x.recorder.overflow {
		x.verdict = replay.Tombstone
	}
	answer := replay.Answer{Verdict: x.verdict}
	if x.toStore() {
		answer.Retention = x.adapter.retention(status, header)
	}
	if x.verdict == replay.Keep {
		x.stored = x.fresh
		x.stored.Header = x.adapter.filter.keep(x.fresh.Header)
		x.stored.Trailer = x.adapter.filter.keep(x.fresh.Trailer)
		answer.Value = &x.stored
	}
	return answer
}

// toStore reports whether the answer is one to store, though it may be too large for that.
func (x *exchange) toStore() bool { return x.verdict == replay.Keep || x.verdict == replay.Tombstone }

// reconcile lets Config.Reconcile decide, and takes what it wrote for the answer if it says so.
func (x *exchange) reconcile(ctx context.Context) (replay.Decision, replay.Answer, error) {
	x.startRecorder(ctx)
	defer x.recorder.close()
	decision := x.adapter.cfg.Reconcile(x.recorder, x.request(ctx))
	if decision == replay.Done {
		return decision, x.judge(), nil
	}
	if x.recorder.close(); x.recorder.streaming {
		panic(http.ErrAbortHandler) // What the client has got is no answer.
	}
	return decision, replay.Answer{}, nil
}

func (x *exchange) authorize(context.Context) error {
	// Any value other than Allow refuses, also one that is none of the constants.
	if x.access = x.adapter.cfg.Authorize(x.r); x.access != Allow {
		return errors.New("httpadapter: Config.Authorize refused")
	}
	return nil
}
