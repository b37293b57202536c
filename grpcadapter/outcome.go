package grpcadapter

import (
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Domain is that of the google.rpc.ErrorInfo in every error that is reprise's own. Clients compare
// it, so it never changes.
const Domain = "github.com/reprise-go/reprise"

// pushbackKey is trailing metadata by which a server tells gRPC's own retries when to send a call
// again, in ms, or with -1 not to (gRFC A6).
const pushbackKey = "grpc-retry-pushback-ms"

// An outcome is what became of a call that the adapter answers itself, without the handler's answer
// or a stored one.
type outcome uint8

const (
	unknown           outcome = iota
	keyMissing                // no key where one is required
	keyInvalid                // the metadata is there and holds no key, or several
	unscoped                  // nobody knows whose key it is
	mismatch                  // the key belongs to another request, answered or still in flight
	inProgress                // another call holds the key, or took it from this one
	outcomeUnknown            // an earlier attempt died, and the policy refuses another
	replayUnavailable         // ran once, and its answer can't be kept
	unavailable               // the store can't be reached
	unreadable                // the value under the key is none that can be given
	replayRefused             // the hook that authorises replays said no
	replayHidden              // it said that the caller must not even learn of it
)

// outcomes is the one place that says of each outcome its reason, which is dialect's code in
// ErrorInfo's spelling, its status code, whether the same call may be sent again, and what a client
// reads: texts may be reworded.
//
// OUTCOME_UNKNOWN and REPLAY_UNAVAILABLE are FAILED_PRECONDITION, which by its definition is not to
// be retried until somebody has set things right. ABORTED means the opposite, and would have the
// retry policies of many service configurations ask on and on.
var outcomes = [...]struct {
	reason string
	code   codes.Code
	retry  bool
	text   string
}{
	unknown:    {"UNKNOWN", codes.Internal, false, "the request could not be handled"},
	keyMissing: {"MISSING", codes.InvalidArgument, false, "this call needs an idempotency key"},
	keyInvalid: {"INVALID", codes.InvalidArgument, false, "the idempotency key is not valid"},
	unscoped:   {"UNSCOPED", codes.InvalidArgument, false, "a call with an idempotency key must say whose it is; it was not carried out"},
	mismatch: {"REUSED", codes.FailedPrecondition, false,
		"the idempotency key is already used for another request; this one was not carried out"},
	inProgress: {"IN_PROGRESS", codes.Aborted, true,
		"a call with this idempotency key is in progress; send the same again to receive its answer"},
	outcomeUnknown: {"OUTCOME_UNKNOWN", codes.FailedPrecondition, false,
		"an earlier call with this idempotency key ended without an answer; find out what it did before you use another key"},
	replayUnavailable: {"REPLAY_UNAVAILABLE", codes.FailedPrecondition, false,
		"the call with this idempotency key was carried out, but its answer was not kept; it will not be carried out again"},
	unavailable: {"UNAVAILABLE", codes.Unavailable, true,
		"calls with an idempotency key can't be made safe to repeat at the moment; send the same again later"},
	unreadable: {"UNREADABLE", codes.DataLoss, false,
		"the answer to this idempotency key can't be read; the operator of this service has to look into it"},
	replayRefused: {"REPLAY_REFUSED", codes.PermissionDenied, false,
		"what became of this idempotency key may not be shown to this caller; this call was not carried out"},
	replayHidden: {"", codes.NotFound, false, "not found"},
}

// refusal returns the status of an outcome, with its details, and its trailer. A client reads the
// name of the metadata that is at fault and what is accepted there, but never a key.
func (o outcome) refusal(keyMetadata, want string, retryAfter time.Duration) (*status.Status, metadata.MD) {
	row := outcomes[o]
	st := status.New(row.code, row.text)
	if o == replayHidden {
		return st, nil // anything more would tell that there is something
	}
	pushback := "-1"
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: row.reason, Domain: Domain}}
	if row.retry {
		// In whole milliseconds, rounded up, so that both hints say the same and nobody comes back
		// before the lease has ended.
		ms := max(1, (retryAfter+time.Millisecond-1)/time.Millisecond)
		pushback = strconv.FormatInt(int64(ms), 10)
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(ms * time.Millisecond)})
	}
	if o == keyMissing || o == keyInvalid {
		details = append(details, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: keyMetadata, Description: "want " + validText(want)},
		}})
	}
	if detailed, err := st.WithDetails(details...); err == nil { // of these messages it always is
		st = detailed
	}
	return st, metadata.Pairs(pushbackKey, pushback)
}
