package grpcadapter

import (
	"errors"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/replay"
)

// One word for one thing: what the engine calls an outcome is the code of HTTP and the reason of
// gRPC. Reasons are a contract. Outcomes that the engine doesn't know are the adapters' own.
func TestOneVocabulary(t *testing.T) {
	vocabulary := []struct {
		err     error
		engine  replay.Outcome
		outcome dialect.Outcome
		reason  string // empty: HTTP has it alone, or a client gets none
		again   bool
	}{
		{replay.ErrInProgress, replay.InProgress, dialect.InProgress, "IN_PROGRESS", true},
		{replay.ErrReused, replay.Reused, dialect.Reused, "REUSED", false},
		{replay.ErrOutcomeUnknown, replay.OutcomeUnknown, dialect.OutcomeUnknown, "OUTCOME_UNKNOWN", false},
		{replay.ErrReplayUnavailable, replay.ReplayUnavailable, dialect.ReplayUnavailable, "REPLAY_UNAVAILABLE", false},
		{replay.ErrReplayRefused, replay.ReplayRefused, dialect.ReplayRefused, "REPLAY_REFUSED", false},
		{replay.ErrUnavailable, replay.Unavailable, dialect.Unavailable, "UNAVAILABLE", true},
		{replay.ErrUnreadable, replay.Unreadable, dialect.Unreadable, "UNREADABLE", false},
		{errors.New("the work's own"), replay.Unknown, 0, "UNKNOWN", false},
		{nil, "", dialect.KeyMissing, "MISSING", false},
		{nil, "", dialect.KeyMalformed, "INVALID", false},
		{nil, "", dialect.KeyTooLong, "INVALID", false},
		{nil, "", dialect.KeyRepeated, "INVALID", false},
		{nil, "", dialect.Unscoped, "UNSCOPED", false},
		{nil, "", dialect.ReplayHidden, "", false},
		{nil, "", dialect.BodyTooLarge, "", false},
		{nil, "", dialect.BodyIncomplete, "", false},
	}
	known := map[dialect.Outcome]bool{}
	for _, tt := range vocabulary {
		known[tt.outcome] = true
		if got := replay.OutcomeOf(tt.err); got != tt.engine {
			t.Errorf("%v: the engine's outcome is %q, want %q", tt.err, got, tt.engine)
		}
		if tt.err != nil && (dialect.ParseOutcome(string(tt.engine)) != tt.outcome || tt.outcome.String() != string(tt.engine)) {
			t.Errorf("%q is %q over HTTP", tt.engine, tt.outcome)
		}
		if tt.outcome.Retryable() != tt.again {
			t.Errorf("%q: may be sent again: %t, want %t", tt.outcome, !tt.again, tt.again)
		}
		httpOnly := tt.outcome == dialect.BodyTooLarge || tt.outcome == dialect.BodyIncomplete
		if reply, ok := replies[tt.outcome]; ok == httpOnly || ok && (reply.code == codes.OK || reply.text == "") {
			t.Errorf("%q over gRPC: %v", tt.outcome, reply)
		}
		if st, _ := refusal(tt.outcome, "", "", 0); !httpOnly && reasonOf(st) != tt.reason {
			t.Errorf("%q: reason %s, want %s", tt.outcome, reasonOf(st), tt.reason)
		}
	}
	for o := dialect.Outcome(1); o.String() != "unknown"; o++ {
		if !known[o] {
			t.Errorf("%q is missing in the table", o)
		}
	}
}
