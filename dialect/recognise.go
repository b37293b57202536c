package dialect

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"mime"
	"net/http"
	"regexp"
	"strings"
)

// A wording is how a dialect expresses an outcome: by a status, and by a text in one place of the
// body. A handler's own answer may use the same text for something else, but hardly with the same
// status.
type wording struct {
	status  int
	place   string
	text    string
	outcome Outcome
}

// wordings are those of all dialects but Problem and our IETF, which have the outcome's own code.
var wordings = [...]wording{
	// Other implementations of draft-ietf-httpapi-idempotency-key-header-07, by its titles.
	{http.StatusBadRequest, "title", "Idempotency-Key is missing", KeyMissing},
	{http.StatusUnprocessableEntity, "title", "Idempotency-Key is already used", Reused},
	{http.StatusConflict, "title", "A request is outstanding for this Idempotency-Key", InProgress},

	// Credicorp.
	{http.StatusConflict, "error.code", "idempotency_key_in_progress", InProgress},
	{http.StatusConflict, "error.code", "idempotency_key_reused", Reused},
	{http.StatusBadRequest, "error.code of the key", "parameter_missing", KeyMissing},
	{http.StatusBadRequest, "error.code of the key", "invalid_request", KeyMalformed},
	{http.StatusServiceUnavailable, "error.code", "temporarily_unavailable", Unavailable},

	// BlueSnap, in JSON and XML.
	{http.StatusUnprocessableEntity, "message.code", "60101", Reused},
	{http.StatusConflict, "message.code", "60102", InProgress},
	{http.StatusBadRequest, "message.code", "60103", KeyTooLong},
	{http.StatusBadRequest, "message.code", "60104", KeyMalformed},
	{http.StatusServiceUnavailable, "message.code", "60106", Unavailable},

	// Stripe.
	{http.StatusConflict, "error.code", "idempotency_key_in_use", InProgress},
	{http.StatusBadRequest, "error.type", "idempotency_error", Reused},

	// For outcomes that a vendor has no code for, the dialect has ours in the vendor's spelling:
	// see vendorCode. ReplayHidden has no wording: it must not be recognised.
	{http.StatusBadRequest, "error.code", "idempotency_key_missing", KeyMissing},
	{http.StatusBadRequest, "error.code", "idempotency_key_invalid", KeyMalformed},
	{http.StatusBadRequest, "error.code", "body_incomplete", BodyIncomplete},
	{http.StatusBadRequest, "error.code", "unscoped", Unscoped},
	{http.StatusRequestEntityTooLarge, "error.code", "body_too_large", BodyTooLarge},
	{http.StatusConflict, "error.code", "outcome_unknown", OutcomeUnknown},
	{http.StatusConflict, "error.code", "replay_unavailable", ReplayUnavailable},
	{http.StatusForbidden, "error.code", "replay_refused", ReplayRefused},
	{http.StatusInternalServerError, "error.code", "unreadable", Unreadable},
	{http.StatusServiceUnavailable, "error.code", "unavailable", Unavailable},
	{http.StatusBadRequest, "message.name", "IDEMPOTENCY_KEY_MISSING", KeyMissing},
	{http.StatusBadRequest, "message.name", "BODY_INCOMPLETE", BodyIncomplete},
	{http.StatusBadRequest, "message.name", "UNSCOPED", Unscoped},
	{http.StatusRequestEntityTooLarge, "message.name", "BODY_TOO_LARGE", BodyTooLarge},
	{http.StatusConflict, "message.name", "OUTCOME_UNKNOWN", OutcomeUnknown},
	{http.StatusConflict, "message.name", "REPLAY_UNAVAILABLE", ReplayUnavailable},
	{http.StatusForbidden, "message.name", "REPLAY_REFUSED", ReplayRefused},
	{http.StatusInternalServerError, "message.name", "UNREADABLE", Unreadable},
}

// maxErrorBody is the longest body, in bytes, that can be an error about the key. Ours have less
// than 2 KiB, without what Info.Message adds.
const maxErrorBody = 32 << 10

// Recognise returns the outcome that an answer expresses, in any ready-made dialect, and 0 for
// every other answer. A client uses it to tell an error about the key from an answer of the
// handler.
func Recognise(status int, contentType string, body []byte) Outcome {
	media, _, _ := mime.ParseMediaType(contentType)
	isJSON, isXML := strings.HasSuffix(media, "json"), strings.HasSuffix(media, "xml")
	if status < 400 || len(body) == 0 || len(body) > maxErrorBody || !isJSON && !isXML {
		return 0
	}
	places := readPlaces(media, body)
	for o, known := range outcomes {
		// The codes are common words. Beside the member retryable, they are ours.
		if o > 0 && Outcome(o) != ReplayHidden && media == "application/problem+json" && status == known.status &&
			places["code"] == known.code && places["retryable"] != "" {
			return Outcome(o)
		}
	}
	for _, w := range wordings {
		if w.status == status && places[w.place] == w.text {
			return w.outcome
		}
	}
	return 0
}

// readPlaces returns the texts in a body at the places that wordings name. A member of an
// unexpected type counts as empty: it belongs to an answer of the handler.
func readPlaces(media string, body []byte) map[string]string {
	var b struct {
		Title, Code string
		Retryable   *bool
		Error       struct{ Type, Code, Param string }
		Message     []struct{ Code, ErrorName string }
	}
	if strings.HasSuffix(media, "xml") {
		var m struct {
			XMLName xml.Name `xml:"http://ws.plimus.com messages"`
			Message []struct {
				Code string `xml:"code"`
				Name string `xml:"error-name"`
			} `xml:"message"`
		}
		if err := xml.Unmarshal(body, &m); err != nil || len(m.Message) == 0 {
			return nil
		}
		return map[string]string{"message.code": m.Message[0].Code, "message.name": m.Message[0].Name}
	}
	err := json.Unmarshal(body, &b)
	if _, broken := errors.AsType[*json.SyntaxError](err); broken {
		err = json.Unmarshal(repaired(body), &b)
	}
	if _, other := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !other {
		return nil
	}
	places := map[string]string{
		"title": b.Title, "code": b.Code,
		"error.type": b.Error.Type, "error.code": b.Error.Code,
	}
	if b.Retryable != nil {
		places["retryable"] = "present"
	}
	if strings.EqualFold(b.Error.Param, KeyHeader) {
		places["error.code of the key"] = b.Error.Code // not that of another parameter
	}
	if len(b.Message) > 0 {
		places["message.code"], places["message.name"] = b.Message[0].Code, b.Message[0].ErrorName
	}
	return places
}

// repaired makes valid JSON of the draft's examples, which servers copy as they are printed: with a
// comma after the last member, and with line breaks within a string
// (draft-ietf-httpapi-idempotency-key-header-07 §2.7).
func repaired(body []byte) []byte {
	blank := func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}
	return lastComma.ReplaceAll(bytes.Map(blank, body), []byte("$1"))
}

var lastComma = regexp.MustCompile(`, *([}\]])`)
