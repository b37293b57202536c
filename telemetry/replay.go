package telemetry

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// The names of spans.
const (
	requestSpan = "reprise.request" // the decision about a request, with all that follows from it
	workSpan    = "reprise.work"    // the work, or what Request.Reconcile does in its place
	callSpan    = "reprise.call"    // a call of httpclient, with all its tries and waits
)

// Replay returns a Trace for a replay.Config. It is the caller's own, to add to.
func (t *Telemetry) Replay() *replay.Trace {
	trace := &replay.Trace{
		Effect: func(ctx context.Context, e replay.Effect) {
			t.instruments.effects.Add(ctx, 1, t.effects.of(effectLabels{e}).add...)
		},
		CommitFailed: func(ctx context.Context, err error) {
			t.instruments.commitFailures.Add(ctx, 1, t.failures.of(failureLabels{cause: causeOf(err)}).add...)
		},
		Finished: t.finished,
	}
	if t.tracer == nil {
		return trace
	}
	trace.Started = func(ctx context.Context, _ replay.Event) context.Context {
		ctx, _ = t.tracer.Start(ctx, requestSpan)
		return ctx
	}
	trace.Working, trace.Worked = t.working, t.worked
	if t.cfg.Links {
		trace.Origin = originOf
	}
	return trace
}

// finished counts a request, and ends its span.
func (t *Telemetry) finished(ctx context.Context, e replay.Event) {
	i := &t.instruments
	s := t.requests.of(t.labelsOf(e))
	i.requests.Add(ctx, 1, s.add...)
	if e.Key != "" { // The engine was asked.
		i.acquire.Record(ctx, e.Acquire.Seconds(), s.record...)
	}
	if e.Work > 0 {
		i.work.Record(ctx, e.Work.Seconds(), s.record...)
	}
	if e.Commit > 0 {
		i.commit.Record(ctx, e.Commit.Seconds(), s.record...)
	}
	if e.Attempt > 1 {
		i.takeovers.Add(ctx, 1, s.add...)
	}
	if e.Vanished {
		i.vanished.Add(ctx, 1, s.add...)
	}
	if t.tracer != nil {
		t.endRequest(trace.SpanFromContext(ctx), s, e)
	}
}

func (t *Telemetry) labelsOf(e replay.Event) requestLabels {
	l := requestLabels{outcome: e.Outcome, route: e.Route, dialect: e.Dialect, shadow: e.Shadow}
	if t.cfg.Tenant != nil {
		l.tenant = t.cfg.Tenant(e.Scope)
	}
	return l
}

func (t *Telemetry) endRequest(span trace.Span, s *set, e replay.Event) {
	if span.IsRecording() {
		span.SetAttributes(s.attributes...)
		if e.Key != "" {
			span.SetAttributes(keyDigest.String(digestOf(e.Key)))
		}
		if e.Attempt > 0 {
			span.SetAttributes(attempt.Int(e.Attempt))
		}
		if original := parseOrigin(e.Origin); original.IsValid() {
			span.AddLink(trace.Link{SpanContext: original})
		}
		if isError(e) {
			// No more than the word: the error's text may have anything in it.
			span.SetStatus(codes.Error, string(e.Outcome))
			if cause := typeOf(e.Err); cause != "" {
				span.SetAttributes(errorType.String(cause))
			}
		}
	}
	span.End()
}

// isError tells a request that this side has failed from one that is refused for what its client did.
func isError(e replay.Event) bool {
	switch e.Outcome {
	case replay.Unavailable, replay.Unreadable, replay.NotStored, replay.LostLease, replay.WorkPanicked, replay.Unknown:
		return true
	case replay.Failed:
		return e.Err != nil
	}
	return false
}

// typeOf names the type of an error: Redis's by its cause, any other by its Go type.
func typeOf(err error) string {
	switch {
	case err == nil:
		return ""
	case isStores(err):
		return causeOf(err)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", err), "*")
}

// digestOf is the digest in a Redis key, whose prefix may have colons, too.
func digestOf(key string) string { return key[strings.LastIndexByte(key, ':')+1:] }

// working begins the span of the work, if that of its request is sampled.
func (t *Telemetry) working(ctx context.Context, e replay.Event) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	ctx, _ = t.tracer.Start(ctx, workSpan, trace.WithAttributes(
		keyDigest.String(digestOf(e.Key)), attempt.Int(e.Attempt)))
	return ctx
}

func (t *Telemetry) worked(ctx context.Context, e replay.Event) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	switch {
	case e.Outcome == replay.WorkPanicked:
		span.SetStatus(codes.Error, string(e.Outcome))
	case e.Err != nil:
		span.SetStatus(codes.Error, "failed")
		span.SetAttributes(errorType.String(typeOf(e.Err)))
	case context.Cause(ctx) == lock.ErrLost:
		span.SetStatus(codes.Error, "lost")
	}
	span.End()
}
