package grpcadapter_test

import (
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/grpcadapter"
)

func TestCallErrors(t *testing.T) {
	sentinels := []error{grpcadapter.ErrReused, grpcadapter.ErrInProgress, grpcadapter.ErrOutcomeUnknown, grpcadapter.ErrReplayUnavailable}
	for _, tt := range []struct {
		said try
		is   error
	}{
		{try{code: codes.FailedPrecondition, reason: "REUSED"}, grpcadapter.ErrReused},
		{try{code: codes.Aborted, reason: "IN_PROGRESS"}, grpcadapter.ErrInProgress},
		{try{code: codes.FailedPrecondition, reason: "OUTCOME_UNKNOWN"}, grpcadapter.ErrOutcomeUnknown},
		{try{code: codes.FailedPrecondition, reason: "REPLAY_UNAVAILABLE"}, grpcadapter.ErrReplayUnavailable},
		{try{code: codes.DataLoss, reason: "UNREADABLE"}, nil},
		{try{code: codes.FailedPrecondition}, nil},
		{try{code: codes.FailedPrecondition, reason: "REUSED", domain: "bottles"}, nil},
	} {
		err := (&wire{says: []try{tt.said}}).call(t.Context(), t, grpcadapter.ClientConfig{MaxTries: 1})
		for _, s := range sentinels {
			if errors.Is(err, s) != (s == tt.is) {
				t.Errorf("%v: is %v", tt.said, s)
			}
		}
		e, _ := errors.AsType[*grpcadapter.CallError](err)
		if ours := tt.said.domain == ""; e == nil || ours && e.Reason != tt.said.reason || !ours && e.Reason != "" {
			t.Errorf("%v: got %#v", tt.said, e)
		}
		st, ok := status.FromError(err)
		if want := status.Convert(tt.said.err()); !ok || st.Code() != want.Code() || st.Message() != want.Message() || len(st.Details()) != len(want.Details()) {
			t.Errorf("%v: to gRPC it is %v, %v", tt.said, st, ok)
		}
	}
}
