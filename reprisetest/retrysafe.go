package reprisetest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A Subject is what RetrySafe plays its scenes against. Handler, Request and Effects are needed.
type Subject struct {
	// Handler makes what one process of yours serves: your handler behind its adapter over this
	// engine, with whatever middleware is around it. It is called once for each process of a scene.
	// What processes share, such as a database, is made outside of it.
	Handler func(t *testing.T, engine *replay.Engine) http.Handler

	// Request makes the request under a key, and puts the key where the API takes it. Each call with
	// one key makes the same request, as a client's retry is; one that is sent alone must be answered
	// with a 2xx. Keys look like UUIDs, and each scene has its own.
	Request func(key string) *http.Request

	// Effects counts what all requests so far have done to the world, by name: rows, mails, pence.
	// RetrySafe compares the counts before and after: it needs no reset. If effects come about later
	// than the answer, Effects waits for them.
	Effects func(t *testing.T) map[string]int

	// Another makes another request under the key, that would be answered with a 2xx if the key were
	// its own. Nil means Request's with a body that no handler takes, which proves less: the scene in
	// which Redis has forgotten the first request is left out then.
	Another func(key string) *http.Request

	// Config is the engine's, as in production: its policies are what is tested. The durations of
	// Config.Lock, Acks and Strict are not: leases here end only when a scene ends them. Shadow is
	// refused, since nothing is guarded in it.
	Config replay.Config
}

// RetrySafe plays every scene against the subject, each a subtest. It fails at once, without a scene, if
// a single request isn't answered with a 2xx, has no effect, or never asks the engine.
//
// A scene passes if the counts of Effects have changed as by one request, all answers that clients got
// are the same (status, Content-Type, Location and body), and a last retry gets that answer. Clients
// may be refused, and a handler may fail on the way, as long as a retry then gets it. Where the
// policy of the handler or the engine is to leave the outcome unknown, the last retry may be told so;
// if no client got an answer, nothing may have happened at all.
func RetrySafe(t *testing.T, subject Subject) {
	t.Helper()
	want, fault := one(t, subject)
	if fault != "" {
		t.Fatal("reprisetest: " + fault)
	}
	for _, scene := range scenes {
		if scene.whole && subject.Another == nil {
			continue
		}
		t.Run(scene.promise, func(t *testing.T) {
			if report := scene.run(t, subject, want); report != "" {
				t.Error(report)
			}
		})
	}
}

// one sends one request, and returns what it does to the world, or why no scene can be played.
func one(t *testing.T, subject Subject) (want map[string]int, fault string) {
	t.Helper()
	if subject.Handler == nil || subject.Request == nil || subject.Effects == nil {
		return nil, "a Subject needs Handler, Request and Effects"
	}
	if err := subject.Config.Validate(); err != nil {
		return nil, "Subject.Config: " + err.Error()
	}
	if subject.Config.Shadow {
		return nil, "Config.Shadow guards nothing, and so nothing is safe: test the handler without it"
	}
	s := newStage(t, subject)
	defer s.close()
	r := s.send(s.process("A"))
	if !r.asked.Load() {
		return nil, fmt.Sprintf("one request alone was answered %v and never asked the engine. "+
			"Is the handler behind an adapter over the engine that it was given, for this method and route, "+
			"and does Request put the key where that adapter looks for it?", r)
	}
	if !r.isAnswer() || r.status >= 300 {
		return nil, fmt.Sprintf("one request alone must be answered with a 2xx, and was answered %v", r)
	}
	if want = s.effects(); len(want) == 0 {
		return nil, fmt.Sprintf("one request alone was answered %v, and Effects counts nothing that it did", r)
	}
	return want, ""
}

// lease is how long leases last by Redis's clock, which stands still unless a scene moves it, and by
// the process's own, which no scene waits for.
const lease = time.Hour

// config is the engine's of every process.
func (s *stage) config() replay.Config {
	cfg := s.subject.Config
	l := &cfg.Lock
	l.TTL, l.Timeout = lease, time.Minute
	l.Renew, l.MaxHold, l.Remember, l.AckWithin = 0, 0, 0, 0
	// net.Pipe, by which Redis is reached, holds nothing: a pipeline and its replies would wait for
	// each other. And scenes stop processes by single commands.
	l.Pipeline = lock.PipelineOff
	l.Acks, l.Strict = 0, false // an embedded Redis has no replicas, and no settings to be strict about
	if cfg.Retention != 0 {
		cfg.Retention = max(cfg.Retention, lease)
	}
	cfg.Trace = s.trace(cfg.Trace)
	return cfg
}

// difference returns what has been added to the counts, without what has stayed as it was.
func difference(before, after map[string]int) map[string]int {
	d := maps.Clone(after)
	for name, n := range before {
		d[name] -= n
	}
	maps.DeleteFunc(d, func(_ string, n int) bool { return n == 0 })
	return d
}

// compare says in words where got is not what one request makes.
func compare(got, want map[string]int) (wrong []string) {
	names := maps.Clone(want)
	maps.Copy(names, got)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if got[name] != want[name] {
			wrong = append(wrong, fmt.Sprintf("%s: %d, and one request makes %d", name, got[name], want[name]))
		}
	}
	return wrong
}
