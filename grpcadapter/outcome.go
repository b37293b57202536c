package grpcadapter

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/reprise-go/reprise/dialect"
)

// Domain is that of the google.rpc.ErrorInfo in every error that is reprise's own. Clients compare
// it, so it never changes.
const Domain = "github.com/reprise-go/reprise"

// pushbackKey is trailing metadata by which a server tells gRPC's own retries when to send a call
// again, in ms, or with -1 not to (gRFC A6).
const pushbackKey = "grpc-retry-pushback-ms"

// replies is the one place that says of each outcome its status code, and what a client reads:
// texts may be reworded. Reason and whether to call again are dialect's, one vocabulary for HTTP
// and gRPC.
//
// OutcomeUnknown and ReplayUnavailable are FAILED_PRECONDITION, which by its definition is not to
// be retried until somebody has set things right. ABORTED means the opposite, and would have the
// retry policies of many service configurations ask on and on.
var replies = map[dialect.Outcome]struct {
	code codes.Code
	text string
}{
	0:                    {codes.Internal, "the request could not be handled"},
	dialect.KeyMissing:   {codes.InvalidArgument, "this call needs an idempotency key"},
	dialect.KeyMalformed: {codes.InvalidArgument, "the idempotency key is not valid"},
	dialect.KeyTooLong:   {codes.InvalidArgument, "the idempotency key is not valid"},
	dialect.KeyRepeated:  {codes.InvalidArgument, "the idempotency key is not valid"},
	dialect.Unscoped: {codes.InvalidArgument,
		"a call with an idempotency key must say whose it is; it was not carried out"},
	dialect.Reused: {codes.FailedPrecondition,
		"the idempotency key is already used for another request; this one was not carried out"},
	dialect.InProgress: {codes.Aborted,
		"a call with this idempotency key is in progress; send the same again to receive its answer"},
	dialect.OutcomeUnknown: {codes.FailedPrecondition,
		"an earlier call with this idempotency key ended without an answer; find out what it did before you use another key"},
	dialect.ReplayUnavailable: {codes.FailedPrecondition,
		"the call with this idempotency key was carried out, but its answer was not kept; it will not be carried out again"},
	dialect.Unavailable: {codes.Unavailable,
		"calls with an idempotency key can't be made safe to repeat at the moment; send the same again later"},
	dialect.Unreadable: {codes.DataLoss,
		"the answer to this idempotency key can't be read; the operator of this service has to look into it"},
	dialect.ReplayRefused: {codes.PermissionDenied,
		"what became of this idempotency key may not be shown to this caller; this call was not carried out"},
	dialect.ReplayHidden: {codes.NotFound, "not found"},
}

// reason is an outcome's code in the spelling of ErrorInfo's reasons: IN_PROGRESS for
// "in-progress".
func reason(o dialect.Outcome) string {
	return strings.ToUpper(strings.ReplaceAll(o.String(), "-", "_"))
}

// refusal returns the status of an outcome, with its details, and its trailer. A client reads the
// name of the metadata that is at fault and what is accepted there, but never a key. retryAfter
// counts only for outcomes after which the same call may be sent again.
func refusal(o dialect.Outcome, keyMetadata, want string, retryAfter time.Duration) (*status.Status, metadata.MD) {
	reply, ok := replies[o]
	if !ok { // one of HTTP alone, which no call gets
		o, reply = 0, replies[0]
	}
	st := status.New(reply.code, reply.text)
	if o == dialect.ReplayHidden {
		return st, nil // anything more would tell that there is something
	}
	pushback := "-1"
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason(o), Domain: Domain}}
	if o.Retryable() {
		// In whole milliseconds, rounded up, so that both hints say the same and nobody comes back
		// before the lease has ended.
		ms := max(1, (retryAfter+time.Millisecond-1)/time.Millisecond)
		pushback = strconv.FormatInt(int64(ms), 10)
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(ms * time.Millisecond)})
	}
	switch o {
	case dialect.KeyMissing, dialect.KeyMalformed, dialect.KeyTooLong, dialect.KeyRepeated:
		details = append(details, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: keyMetadata, Description: "want " + validText(want)},
		}})
	}
	if detailed, err := st.WithDetails(details...); err == nil { // of these messages it always is
		st = detailed
	}
	return st, metadata.Pairs(pushbackKey, pushback)
}
