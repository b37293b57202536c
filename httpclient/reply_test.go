package httpclient

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
)

const (
	inProgressBody = `{"type":"https://github.com/reprise-go/reprise#in-progress","title":"A request with this Idempotency-Key is in progress","status":409,"detail":"…","code":"in-progress","retryable":true}`

	credicorpInProgress = "{\n  \"error\": {\n    \"type\": \"invalid_request_error\",\n    \"code\": \"idempotency_key_in_progress\",\n" +
		"    \"message\": \"A request with this key is still being processed.\",\n    \"param\": \"Idempotency-Key\"\n  }\n}"

	credicorpReused = `{"error":{"type":"invalid_request_error","code":"idempotency_key_reused","message":"…","param":"Idempotency-Key"}}`

	// This is the example of draft-ietf-httpapi-idempotency-key-header-07 §2.7 as it is printed. It
	// has no Retry-After, and it isn't JSON: there is a line break in the detail, and a comma at
	// the end.
	draftInProgress = `{
  "type": "https://developer.example.com/idempotency",
  "title": "A request is outstanding for this Idempotency-Key",
  "detail": "A request with the same Idempotency-Key for the
  same operation is being processed or is outstanding.",
}`

	blueSnapXML = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?><messages xmlns="http://ws.plimus.com"><message><error-name>REQUEST_WITH_SAME_IDEMPOTENCY_KEY_ALREADY_IN_PROGRESS</error-name><code>60102</code><description>This occurs if a request is retried using the same Idempotency-Key as the original request while it is still being processed.</description></message></messages>`

	stripeInUse = `{"error":{"code":"idempotency_key_in_use","doc_url":"https://stripe.com/docs/error-codes/idempotency-key-in-use","message":"There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): KEY. Please try again later.","type":"invalid_request_error"}}`

	stripeMismatch = `{"error":{"message":"Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than 'KEY' if you meant to execute a different request.","type":"idempotency_error"}}`
)

// These are the errors of each dialect, as they are on the wire, and what they mean to a caller.
func TestRecognise(t *testing.T) {
	const problem, json, xml = "application/problem+json", "application/json", "application/xml"
	blueSnap := func(code, name string) string {
		return `{"message":[{"errorName":"` + name + `","code":"` + code + `","description":"…"}]}`
	}
	for _, tc := range []struct {
		name    string
		status  int
		media   string
		body    string
		want    dialect.Outcome
		is      error
		unknown bool
	}{
		{"problem: in progress", 409, problem, inProgressBody, dialect.InProgress, ErrInProgress, true},
		{"problem: elsewhere", 422, problem, `{"type":"urn:x:reused","status":422,"code":"reused","retryable":false}`, dialect.Reused, ErrReused, false},
		{"problem: unknown", 409, problem, `{"type":"…#outcome-unknown","status":409,"code":"outcome-unknown","retryable":false}`, dialect.OutcomeUnknown, ErrOutcomeUnknown, true},
		{"problem: not kept", 409, problem, `{"type":"…#replay-unavailable","status":409,"code":"replay-unavailable","retryable":false}`, dialect.ReplayUnavailable, ErrReplayUnavailable, false},
		{"problem: unavailable", 503, problem, `{"type":"…#unavailable","status":503,"code":"unavailable","retryable":true}`, dialect.Unavailable, nil, true},
		{"problem: hidden is no word of ours", 404, problem, `{"type":"…#not-found","status":404,"code":"not-found","retryable":false}`, 0, nil, false},
		{"IETF, with our code", 409, problem, `{"type":"https://api.test/docs","title":"A request is outstanding for this Idempotency-Key","status":409,"detail":"…","code":"in-progress","retryable":true}`, dialect.InProgress, ErrInProgress, true},
		{"IETF: in progress", 409, problem, `{"type":"https://developer.example.com/idempotency","title":"A request is outstanding for this Idempotency-Key","detail":"…"}`, dialect.InProgress, ErrInProgress, true},
		{"IETF: reused", 422, problem, `{"type":"https://developer.example.com/idempotency","title":"Idempotency-Key is already used","detail":"…"}`, dialect.Reused, ErrReused, false},
		{"IETF: missing", 400, problem, `{"type":"https://developer.example.com/idempotency","title":"Idempotency-Key is missing","detail":"…"}`, dialect.KeyMissing, nil, false},
		{"IETF: in progress, as it is printed", 409, problem, draftInProgress, dialect.InProgress, ErrInProgress, true},
		{"Credicorp: in progress", 409, json, credicorpInProgress, dialect.InProgress, ErrInProgress, true},
		{"Credicorp: reused", 409, json, strings.NewReplacer("in_progress", "reused").Replace(credicorpInProgress), dialect.Reused, ErrReused, false},
		{"Credicorp: missing", 400, json, `{"error":{"type":"invalid_request_error","code":"parameter_missing","message":"…","param":"Idempotency-Key"}}`, dialect.KeyMissing, nil, false},
		{"Credicorp: malformed", 400, json, `{"error":{"type":"invalid_request_error","code":"invalid_request","message":"…","param":"idempotency-key"}}`, dialect.KeyMalformed, nil, false},
		{"Credicorp: unavailable", 503, json, `{"error":{"type":"api_error","code":"temporarily_unavailable","message":"The service is briefly unavailable."}}`, dialect.Unavailable, nil, true},
		{"Credicorp: unknown", 409, json, `{"error":{"type":"invalid_request_error","code":"outcome_unknown","message":"…"}}`, dialect.OutcomeUnknown, ErrOutcomeUnknown, true},
		{"Credicorp: another parameter", 400, json, `{"error":{"type":"invalid_request_error","code":"parameter_missing","message":"…","param":"amount"}}`, 0, nil, false},
		{"BlueSnap: reused", 422, json, blueSnap("60101", "SAME_IDEMPOTENCY_KEY_WAS_ALREADY_IN_USE_WITH_PREVIOUS_DIFFERENT_REQUEST"), dialect.Reused, ErrReused, false},
		{"BlueSnap: in progress", 409, json, blueSnap("60102", "REQUEST_WITH_SAME_IDEMPOTENCY_KEY_ALREADY_IN_PROGRESS"), dialect.InProgress, ErrInProgress, true},
		{"BlueSnap: too long", 400, json, blueSnap("60103", "IDEMPOTENCY_KEY_MAX_LENGTH_LIMIT_EXCEEDED"), dialect.KeyTooLong, nil, false},
		{"BlueSnap: malformed", 400, json, blueSnap("60104", "INVALID_IDEMPOTENCY_KEY"), dialect.KeyMalformed, nil, false},
		{"BlueSnap: unavailable", 503, json, blueSnap("60106", "IDEMPOTENCY_SERVICE_TIMEOUT"), dialect.Unavailable, nil, true},
		{"BlueSnap: unknown", 409, json, blueSnap("409", "OUTCOME_UNKNOWN"), dialect.OutcomeUnknown, ErrOutcomeUnknown, true},
		{"BlueSnap: in XML", 409, xml, blueSnapXML, dialect.InProgress, ErrInProgress, true},
		{"BlueSnap: reused in XML", 422, "text/xml; charset=utf-8", strings.NewReplacer("60102", "60101").Replace(blueSnapXML), dialect.Reused, ErrReused, false},
		{"BlueSnap: another error", 400, json, blueSnap("10001", "VALIDATION_GENERAL_FAILURE"), 0, nil, false},
		{"BlueSnap: another space of names", 409, xml, strings.NewReplacer("ws.plimus.com", "elsewhere").Replace(blueSnapXML), 0, nil, false},
		{"Stripe: in progress", 409, json, stripeInUse, dialect.InProgress, ErrInProgress, true},
		{"Stripe: reused", 400, "application/json; charset=utf-8", stripeMismatch, dialect.Reused, ErrReused, false},
		{"Stripe: not kept", 409, json, `{"error":{"code":"replay_unavailable","message":"…","type":"invalid_request_error"}}`, dialect.ReplayUnavailable, ErrReplayUnavailable, false},

		{"Stripe: half a request", 400, json, `{"error":{"code":"body_incomplete","message":"…","type":"invalid_request_error"}}`, dialect.BodyIncomplete, nil, false},
		{"Stripe: no scope", 400, json, `{"error":{"code":"unscoped","message":"…","type":"invalid_request_error"}}`, dialect.Unscoped, nil, false},
		{"Stripe: too large", 413, json, `{"error":{"code":"body_too_large","message":"…","type":"invalid_request_error"}}`, dialect.BodyTooLarge, nil, false},
		{"Stripe: missing", 400, json, `{"error":{"code":"idempotency_key_missing","message":"…","type":"invalid_request_error"}}`, dialect.KeyMissing, nil, false},
		{"Stripe: malformed", 400, json, `{"error":{"code":"idempotency_key_invalid","message":"…","type":"invalid_request_error"}}`, dialect.KeyMalformed, nil, false},
		{"BlueSnap: half a request", 400, json, blueSnap("400", "BODY_INCOMPLETE"), dialect.BodyIncomplete, nil, false},
		{"BlueSnap: no scope", 400, json, blueSnap("400", "UNSCOPED"), dialect.Unscoped, nil, false},
		{"BlueSnap: too large", 413, json, blueSnap("413", "BODY_TOO_LARGE"), dialect.BodyTooLarge, nil, false},

		{"a handler's 409", 409, json, `{"error":"taken"}`, 0, nil, false},
		{"a handler's word at another status", 402, json, stripeInUse, 0, nil, false},
		{"a handler's success", 200, json, credicorpInProgress, 0, nil, false},
		{"a handler's code", 409, problem, `{"type":"about:blank","status":409,"code":"in-progress"}`, 0, nil, false},
		{"as text", 409, "text/plain", credicorpInProgress, 0, nil, false},
		{"half of it", 409, json, credicorpInProgress[:100], 0, nil, false},
		{"another type of member", 409, json, `{"code":7,"message":"no","error":{"code":"idempotency_key_in_use"}}`, dialect.InProgress, ErrInProgress, true},
		{"nothing", 409, json, "", 0, nil, false},
		{"longer than any error", 409, json, strings.Replace(stripeInUse, "KEY", strings.Repeat("k", 64<<10), 1), 0, nil, false},
		{"408 may come after the work", 408, json, `{}`, 0, nil, true},
		{"a gateway's 502", 502, "text/html", "<h1>Bad Gateway</h1>", 0, nil, true},
		{"a handler's 500", 500, json, `{"error":{"code":"boom"}}`, 0, nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			play(t, func(t *testing.T, tr *Transport, s *stage) {
				tr.MaxTries = 1
				resp, err := tr.RoundTrip(order(WithKey(t.Context(), "k"), "order"))
				reply := ReplyOf(resp)
				want(t, resp, err, tc.status, tc.body) // which the caller still has
				e, ok := reply.Err.(*CallError)
				if ok != (tc.want != 0) || ok && (e.Outcome != tc.want || e.Key != "k" || e.Status != tc.status || e.Tries != 1) {
					t.Fatalf("got %+v, want %v", reply.Err, tc.want)
				}
				for _, sentinel := range []error{ErrReused, ErrInProgress, ErrOutcomeUnknown, ErrReplayUnavailable} {
					if errors.Is(reply.Err, sentinel) != (tc.is == sentinel) {
						t.Errorf("%v is %v: %v", reply.Err, sentinel, !(tc.is == sentinel))
					}
				}
				if reply.OutcomeUnknown != tc.unknown {
					t.Errorf("OutcomeUnknown is %v", reply.OutcomeUnknown)
				}
			}, says(tc.status, tc.body, "Content-Type: "+tc.media))
		})
	}
}

// An answer of the server itself settles what an earlier, lost try did; an answer of a gateway
// doesn't.
func TestUnknownAfterALoss(t *testing.T) {
	for _, tc := range []struct {
		name    string
		last    scene
		unknown bool
	}{
		{"a success", created, false},
		{"a failure that is final", says(402, ""), false},
		{"a replayed 500", says(500, "", "Idempotency-Replayed: true"), false},
		{"a reused key", says(422, ""), false},
		{"a reused key by Credicorp", says(409, strings.NewReplacer("in_progress", "reused").Replace(credicorpInProgress)), false},
		{"an answer that was not kept", says(409, `{"error":{"code":"replay_unavailable"}}`), false},
		{"a replay that is refused", says(403, `{"error":{"code":"replay_refused"}}`), false},
		{"401", says(401, ""), true},
		{"429, and no more", says(429, "", "X-Should-Retry: false"), true},
		{"404", says(404, ""), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			play(t, func(t *testing.T, tr *Transport, s *stage) {
				resp, err := tr.RoundTrip(order(t.Context(), "order"))
				if err != nil || ReplyOf(resp).OutcomeUnknown != tc.unknown {
					t.Errorf("%+v, %v, want it unknown: %v", ReplyOf(resp), err, tc.unknown)
				}
			}, fails(errReset), tc.last)
		})
	}
}

// A request that net/http sent twice within one try may have been carried out the first time.
func TestUnknownAfterALossThatNetHTTPHides(t *testing.T) {
	play(t, func(t *testing.T, tr *Transport, s *stage) {
		tr.MaxTries = 1
		for _, unknown := range []bool{true, false} {
			resp, err := tr.RoundTrip(order(t.Context(), "order"))
			if err != nil || ReplyOf(resp).OutcomeUnknown != unknown {
				t.Errorf("%+v, %v, want it unknown: %v", ReplyOf(resp), err, unknown)
			}
		}
	}, twice(says(429, "")), twice(created))
}

func twice(sc scene) scene {
	return func(r *http.Request) (*http.Response, error) {
		trace := httptrace.ContextClientTrace(r.Context())
		trace.GotConn(httptrace.GotConnInfo{Reused: true})
		trace.GotConn(httptrace.GotConnInfo{})
		return sc(r)
	}
}

// ReplyOf works on an answer that http.Client and others have wrapped.
func TestReplyOfAnyResponse(t *testing.T) {
	for name, resp := range map[string]*http.Response{
		"none":       nil,
		"a bare one": {},
		"another's":  {Request: order(t.Context(), "")},
	} {
		if r := ReplyOf(resp); r != (Reply{}) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	play(t, func(t *testing.T, tr *Transport, s *stage) {
		resp, err := tr.RoundTrip(order(t.Context(), "order"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body = io.NopCloser(resp.Body)
		if r := ReplyOf(resp); !r.Replayed || r.Tries != 1 {
			t.Errorf("%+v", r)
		}
	}, says(201, "", "idempotency-replayed: TRUE"))
}
