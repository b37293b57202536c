package grpcadapter

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/dialect"
)

// What a server of reprise has to say of a call's key, for errors.Is on a client. The error is a
// *CallError.
var (
	// ErrReused: the key belongs to another request.
	ErrReused = errors.New("grpcadapter: key used for another request")

	// ErrInProgress: another call holds the key, and did so until the last try.
	ErrInProgress = errors.New("grpcadapter: in progress")

	// ErrOutcomeUnknown: an earlier call under the key ended without an answer, and the server will
	// not run another. Find out what it did; a new key could do it twice.
	ErrOutcomeUnknown = errors.New("grpcadapter: outcome of an earlier call unknown")

	// ErrReplayUnavailable: the call was carried out, and its answer can't be replayed: it was too
	// large to keep, for example.
	ErrReplayUnavailable = errors.New("grpcadapter: carried out, answer not kept")
)

// sentinels are by the reason of the server's ErrorInfo.
var sentinels = map[string]error{
	reason(dialect.Reused):            ErrReused,
	reason(dialect.InProgress):        ErrInProgress,
	reason(dialect.OutcomeUnknown):    ErrOutcomeUnknown,
	reason(dialect.ReplayUnavailable): ErrReplayUnavailable,
}

// A CallError is a call that failed. To gRPC it is the status of its last try: status.FromError,
// status.Code and status.Convert see that.
type CallError struct {
	// Key is what the call carried. Whoever does not know what became of it, as after UNAVAILABLE
	// or DEADLINE_EXCEEDED, asks again with this one (WithKey); another key could do the work
	// twice. Empty if the call has none that could be sent.
	Key string

	// Reason is that of the server's ErrorInfo, such as IN_PROGRESS, or empty if the error is none
	// of reprise's own.
	Reason string

	// Tries is how often the call was sent, but for what gRPC itself repeats. 0 means that its key
	// was at fault, and nothing was sent.
	Tries int

	err error
}

// Error leaves the key out, for logs.
func (e *CallError) Error() string {
	if e.Tries == 0 {
		return fmt.Sprintf("grpcadapter: nothing was sent: %v", e.err)
	}
	return fmt.Sprintf("grpcadapter: try %d: %v", e.Tries, e.err)
}

// GRPCStatus returns the last try's status, with its message and details as the server sent them.
func (e *CallError) GRPCStatus() *status.Status { return lastStatus(e.err) }

// Unwrap returns the sentinel of the reason, if it has one, the last try's error and, if the
// context ended between two tries, its cause; or context.DeadlineExceeded if the next would have
// come later.
func (e *CallError) Unwrap() []error {
	if sentinel := sentinels[e.Reason]; sentinel != nil {
		return []error{sentinel, e.err}
	}
	return []error{e.err}
}

// A keyError is one of this side: to gRPC it is what the server would have said.
type keyError struct{ *dialect.KeyError }

func (e *keyError) Unwrap() error { return e.KeyError }

func (e *keyError) GRPCStatus() *status.Status {
	return status.New(replies[dialect.KeyMalformed].code, e.Error())
}

func callError(err error, key string, tries int) *CallError {
	return &CallError{Key: key, Reason: reasonOf(lastStatus(err)), Tries: tries, err: err}
}

// lastStatus looks for the status itself: of a wrapped one, status.FromError would put the whole
// chain's text into the message.
func lastStatus(err error) *status.Status {
	if with, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err); ok {
		return with.GRPCStatus()
	}
	return status.Convert(err)
}

// reasonOf returns the reason of an error of reprise, or "".
func reasonOf(st *status.Status) string {
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.Domain == Domain {
			return info.Reason
		}
	}
	return ""
}

// advice tells whether a call that failed may be sent again, and not before which time has passed.
func advice(st *status.Status, header, trailer metadata.MD) (hint time.Duration, again bool) {
	if Replayed(header) {
		return 0, false
	}
	said := false
	switch values := trailer.Get(pushbackKey); len(values) {
	case 0:
	case 1:
		ms, err := strconv.ParseUint(values[0], 10, 31)
		if err != nil {
			return 0, false // negative, or not to be understood: gRFC A6 has both mean no
		}
		hint, said = time.Duration(ms)*time.Millisecond, true
	default:
		return 0, false
	}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			hint, said = max(hint, info.GetRetryDelay().AsDuration()), true
		}
	}
	switch st.Code() {
	case codes.Unavailable, codes.DeadlineExceeded:
		return hint, true
	case codes.Aborted, codes.ResourceExhausted:
		return hint, said || reasonOf(st) == reason(dialect.InProgress)
	}
	return 0, false
}
