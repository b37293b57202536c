package grpcadapter_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/reprise-go/reprise/grpcadapter"
)

// A try is what a server says to one try of a call.
type try struct {
	code     codes.Code
	reason   string        // of an ErrorInfo,
	domain   string        // which is reprise's if empty
	retry    time.Duration // of a RetryInfo, if not 0
	pushback string        // values, separated by spaces
	replayed bool
}

func (tr try) err() error {
	var details []protoadapt.MessageV1
	if tr.reason != "" {
		details = append(details, &errdetails.ErrorInfo{Reason: tr.reason, Domain: cmp.Or(tr.domain, grpcadapter.Domain)})
	}
	if tr.retry != 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(tr.retry)})
	}
	st := status.New(tr.code, "said so")
	if len(details) > 0 {
		st, _ = st.WithDetails(details...)
	}
	return st.Err()
}

// A wire answers the tries of a call as it is told, with OK when it has been told no more, and
// notes the key and the time of each.
type wire struct {
	hangs int             // tries that get no answer, before those that do
	hung  []time.Duration // how long those took
	says  []try
	keys  []string
	times []time.Duration // since the first try
	began time.Time
}

func (w *wire) invoke(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
	if len(w.keys) == 0 {
		w.began = time.Now()
	}
	md, _ := metadata.FromOutgoingContext(ctx)
	w.keys = append(w.keys, strings.Join(md.Get("idempotency-key"), "|"))
	w.times = append(w.times, time.Since(w.began))
	if len(w.keys) <= w.hangs {
		began := time.Now()
		<-ctx.Done()
		w.hung = append(w.hung, time.Since(began))
		return status.FromContextError(ctx.Err()).Err()
	}
	if len(w.keys) > len(w.says) {
		return nil
	}
	said := w.says[len(w.keys)-1]
	for _, o := range opts {
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			if said.replayed {
				*o.HeaderAddr = metadata.Pairs("idempotency-replayed", "true")
			}
		case grpc.TrailerCallOption:
			*o.TrailerAddr = metadata.MD{"grpc-retry-pushback-ms": strings.Fields(said.pushback)}
		}
	}
	return said.err()
}

func (w *wire) call(ctx context.Context, t *testing.T, cfg grpcadapter.ClientConfig) error {
	t.Helper()
	intercept, err := grpcadapter.UnaryClientInterceptor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return intercept(ctx, "/a/b", nil, nil, nil, w.invoke)
}

func TestWhatIsRetried(t *testing.T) {
	for _, tt := range []struct {
		name  string
		said  try
		again bool
		after time.Duration // not before
	}{
		{"ok", try{}, false, 0},
		{"unavailable", try{code: codes.Unavailable}, true, 0},
		{"unavailable, hint", try{code: codes.Unavailable, retry: time.Minute}, true, time.Minute},
		{"unavailable, pushback", try{code: codes.Unavailable, pushback: "60000"}, true, time.Minute},
		{"unavailable, both", try{code: codes.Unavailable, pushback: "1000", retry: time.Minute}, true, time.Minute},
		{"unavailable, pushback longer", try{code: codes.Unavailable, pushback: "60000", retry: time.Second}, true, time.Minute},
		{"unavailable, no", try{code: codes.Unavailable, retry: time.Minute, pushback: "-1"}, false, 0},
		{"unavailable, unclear", try{code: codes.Unavailable, pushback: "soon"}, false, 0},
		{"unavailable, contradictory", try{code: codes.Unavailable, pushback: "1 2"}, false, 0},
		{"unavailable, stored", try{code: codes.Unavailable, replayed: true}, false, 0},
		{"in progress", try{code: codes.Aborted, retry: 2 * time.Second}, true, 2 * time.Second},
		{"in progress by pushback", try{code: codes.Aborted, pushback: "2000"}, true, 2 * time.Second},
		{"in progress, without a hint", try{code: codes.Aborted, reason: "IN_PROGRESS"}, true, 0},
		{"in progress, no", try{code: codes.Aborted, reason: "IN_PROGRESS", pushback: "-1"}, false, 0},
		{"in progress, says another", try{code: codes.Aborted, reason: "IN_PROGRESS", domain: "bottles"}, false, 0},
		{"aborted", try{code: codes.Aborted}, false, 0},
		{"exhausted", try{code: codes.ResourceExhausted}, false, 0},
		{"exhausted, hint", try{code: codes.ResourceExhausted, retry: time.Second}, true, time.Second},
		{"reused", try{code: codes.FailedPrecondition, pushback: "-1"}, false, 0},
		{"failed precondition, hint", try{code: codes.FailedPrecondition, retry: time.Second}, false, 0},
		{"internal", try{code: codes.Internal}, false, 0},
		{"deadline, of the try", try{code: codes.DeadlineExceeded}, true, 0},
		{"deadline, no", try{code: codes.DeadlineExceeded, pushback: "-1"}, false, 0},
		{"canceled", try{code: codes.Canceled}, false, 0},
		{"unknown", try{code: codes.Unknown}, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{says: []try{tt.said}}
				err := w.call(t.Context(), t, grpcadapter.ClientConfig{})
				if again := len(w.keys) == 2; again != tt.again || tt.again && (err != nil || w.keys[0] != w.keys[1]) {
					t.Fatalf("keys %v, %v", w.keys, err)
				}
				// The bound of the first pause is 100 ms, all of which may be left out.
				if last := w.times[len(w.times)-1]; last < tt.after || last > max(tt.after, 100*time.Millisecond) {
					t.Errorf("sent again after %v, want %v", last, tt.after)
				}
				if !tt.again && status.Code(err) != tt.said.code {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestTriesEnd(t *testing.T) {
	always := make([]try, 200)
	for i := range always {
		always[i] = try{code: codes.Unavailable}
	}
	for _, tt := range []struct {
		cfg  grpcadapter.ClientConfig
		want int
		most time.Duration // the pauses' bounds together
	}{
		{grpcadapter.ClientConfig{}, 10, (100 + 200 + 400 + 800 + 1600 + 3200 + 3*5000) * time.Millisecond},
		{grpcadapter.ClientConfig{MaxTries: 1}, 1, 0},
		{grpcadapter.ClientConfig{MaxTries: 5, Backoff: time.Second, MaxBackoff: 2 * time.Second}, 5, 7 * time.Second},
		{grpcadapter.ClientConfig{MaxTries: 100, Backoff: time.Minute}, 100, 99 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{says: always}
			err := w.call(t.Context(), t, tt.cfg)
			e, ok := errors.AsType[*grpcadapter.CallError](err)
			if !ok || len(w.keys) != tt.want || e.Tries != tt.want || e.Key != w.keys[0] || strings.Contains(e.Error(), e.Key) {
				t.Errorf("%d tries: %v", len(w.keys), err)
			}
			if last := w.times[len(w.times)-1]; last > tt.most {
				t.Errorf("took %v, want at most %v", last, tt.most)
			}
		})
	}
}

// A pause ends with the context, and one that would outlast its deadline isn't begun. What the
// server said last is still there to be read.
func TestContextEndsTheTries(t *testing.T) {
	says := []try{{code: codes.Aborted, reason: "IN_PROGRESS", retry: time.Minute}}
	for name, tt := range map[string]struct {
		context func(context.Context) (context.Context, context.CancelFunc)
		cause   error
		took    time.Duration
	}{
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, context.DeadlineExceeded, 0},
		"cancel": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Second, func() { cancel(errFault) })
			return ctx, func() { cancel(nil) }
		}, errFault, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := tt.context(t.Context())
			defer cancel()
			w, began := &wire{says: says}, time.Now()
			err := w.call(ctx, t, grpcadapter.ClientConfig{})
			if len(w.keys) != 1 || !errors.Is(err, tt.cause) || !errors.Is(err, grpcadapter.ErrInProgress) || status.Code(err) != codes.Aborted {
				t.Errorf("%s: %d tries, %v", name, len(w.keys), err)
			}
			if took := time.Since(began); took != tt.took {
				t.Errorf("%s: ended after %v, want %v", name, took, tt.took)
			}
		})
	}
}

// A try that hangs leaves time for another, and ends as the call's own deadline would not.
func TestHungTry(t *testing.T) {
	hang := func(tries int) *wire { return &wire{hangs: tries} }
	for _, tt := range []struct {
		name     string
		deadline time.Duration // of the call; 0: none
		cfg      grpcadapter.ClientConfig
		hangs    int             // tries that do
		each     []time.Duration // how long tries get
		code     codes.Code
	}{
		{"half of a short deadline", 10 * time.Second, grpcadapter.ClientConfig{}, 1, []time.Duration{5 * time.Second}, codes.OK},
		{"30 s of a long one", time.Hour, grpcadapter.ClientConfig{}, 2, []time.Duration{30 * time.Second, 30 * time.Second}, codes.OK},
		{"30 s of none", 0, grpcadapter.ClientConfig{}, 1, []time.Duration{30 * time.Second}, codes.OK},
		{"as set", time.Minute, grpcadapter.ClientConfig{TryTimeout: time.Second}, 3, []time.Duration{time.Second, time.Second, time.Second}, codes.OK},
		{"as set, to the end", 0, grpcadapter.ClientConfig{TryTimeout: time.Second, MaxTries: 2}, 2, []time.Duration{time.Second, time.Second}, codes.Unavailable},
		{"the call's own deadline comes first", time.Second, grpcadapter.ClientConfig{TryTimeout: time.Minute}, 1, []time.Duration{time.Second}, codes.DeadlineExceeded},
		{"tried once, it has all the time", time.Minute, grpcadapter.ClientConfig{MaxTries: 1}, 1, []time.Duration{time.Minute}, codes.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				w := hang(tt.hangs)
				err := w.call(ctx, t, tt.cfg)
				if status.Code(err) != tt.code || fmt.Sprint(w.hung) != fmt.Sprint(tt.each) {
					t.Errorf("got %v after tries of %v, want %v of %v", err, w.hung, tt.code, tt.each)
				}
				if tt.code == codes.Unavailable && !strings.Contains(err.Error(), "TryTimeout (1s)") {
					t.Errorf("%v doesn't say what ended it", err)
				}
			})
		})
	}
}

// Whoever does not take part gets its error as it is, and is not retried.
func TestOthersPass(t *testing.T) {
	w := &wire{says: []try{{code: codes.Unavailable}}}
	err := w.call(t.Context(), t, grpcadapter.ClientConfig{Methods: []string{"/c/*"}})
	if _, ours := errors.AsType[*grpcadapter.CallError](err); ours || status.Code(err) != codes.Unavailable || len(w.keys) != 1 {
		t.Errorf("got %v", err)
	}
}

func TestClientConfig(t *testing.T) {
	for _, tt := range []struct {
		cfg  grpcadapter.ClientConfig
		want string
	}{
		{grpcadapter.ClientConfig{}, ""},
		{grpcadapter.ClientConfig{Backoff: time.Minute}, ""},
		{grpcadapter.ClientConfig{MaxTries: 101, KeyMetadata: "grpc-x", Methods: []string{"x"}}, "Methods KeyMetadata MaxTries"},
		{grpcadapter.ClientConfig{MaxTries: -1, Backoff: 1, MaxBackoff: 2 * time.Hour}, "MaxTries Backoff MaxBackoff"},
		{grpcadapter.ClientConfig{TryTimeout: -1}, "TryTimeout"},
		{grpcadapter.ClientConfig{TryTimeout: time.Microsecond}, "TryTimeout"},
		{grpcadapter.ClientConfig{Backoff: time.Second, MaxBackoff: time.Millisecond}, "MaxBackoff"},
	} {
		intercept, err := grpcadapter.UnaryClientInterceptor(tt.cfg)
		if got := strings.Join(names(errors.Unwrap(err)), " "); got != tt.want || (err == nil) != (intercept != nil) {
			t.Errorf("%+v: got %q, want %q", tt.cfg, got, tt.want)
		}
	}
}
