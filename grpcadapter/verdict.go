package grpcadapter

import (
	"slices"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/replay"
)

// verdict says what becomes of a key by the handler's answer.
func (a *Adapter) verdict(st *status.Status, trailer metadata.MD) replay.Verdict {
	switch {
	case a.stores(st.Code()) && !saysAgain(st, trailer):
		return replay.Keep
	case fateOf(st.Code()) != unsure:
		// The handler declined before it did anything: a retry is a first call. Who has OK not
		// stored, by StoresFunc, wants each such call to be a first one too.
		return replay.Release
	}
	return replay.Abandon
}

// stores reports whether the configuration has an answer stored.
func (a *Adapter) stores(code codes.Code) bool {
	if a.cfg.StoresFunc != nil {
		return a.cfg.StoresFunc(code)
	}
	return a.cfg.Stores.stores(code)
}

// saysAgain reports whether an error says that the same call may be sent again, by
// google.rpc.RetryInfo or by gRPC's own pushback (gRFC A6). Such an error is no result, and no
// policy has it stored: retries would be told "again" until it expires, long after the reason has
// gone.
func saysAgain(st *status.Status, trailer metadata.MD) bool {
	if st.Code() == codes.OK {
		return false
	}
	if values := trailer.Get(pushbackKey); len(values) == 1 {
		if _, err := strconv.ParseUint(values[0], 10, 31); err == nil {
			return true
		}
	}
	return slices.ContainsFunc(st.Details(), func(detail any) bool {
		_, ok := detail.(*errdetails.RetryInfo)
		return ok
	})
}

// retention is how long an answer is stored; 0 leaves it to the engine.
func (a *Adapter) retention(code codes.Code) time.Duration {
	if a.cfg.TTLFunc != nil {
		if d := a.cfg.TTLFunc(code); d > 0 {
			return d
		}
	}
	if code == codes.OK {
		return a.cfg.TTLOK
	}
	return a.cfg.TTLError
}

// A fate is what a code says of the call that it answers.
type fate uint8

const (
	unsure   fate = iota // It may have done anything: the next attempt is told.
	declined             // It did nothing, and the same call may succeed: the next attempt is the first.
	final                // The same call would meet the same again.
)

// fateOf follows the meanings that gRPC gives its codes (doc/statuscodes.md of grpc):
// FAILED_PRECONDITION calls for another state and so for another operation, ABORTED for the same
// again. What isn't named, nonstandard codes among it, leaves everything open.
func fateOf(code codes.Code) fate {
	switch code {
	case codes.OK, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists,
		codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented:
		return final
	case codes.Unauthenticated, codes.PermissionDenied, codes.ResourceExhausted, codes.Aborted:
		return declined
	}
	return unsure
}
