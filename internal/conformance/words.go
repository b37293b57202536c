package conformance

import "fmt"

// What the contract gives to the byte stands here whole; where it gives codes or titles only, those.

// problemWords: one type and one code for each outcome.
var problemWords = map[outcome]words{
	keyMissing:        problemSays("missing", 400, false),
	keyMalformed:      problemSays("invalid", 400, false),
	keyTooLong:        problemSays("invalid", 400, false),
	keyRepeated:       problemSays("invalid", 400, false),
	bodyTooLarge:      problemSays("body-too-large", 413, false),
	reused:            problemSays("reused", 422, false),
	inProgress:        problemSays("in-progress", 409, true),
	outcomeUnknown:    problemSays("outcome-unknown", 409, false),
	replayUnavailable: problemSays("replay-unavailable", 409, false),
	unavailable:       problemSays("unavailable", 503, true),
}

// ietfWords: the draft's titles, and its page or the API's for a type.
var ietfWords = map[outcome]words{
	keyMissing:        ietfSays("Idempotency-Key is missing", "missing", 400, false),
	keyMalformed:      ietfSays("", "invalid", 400, false),
	keyTooLong:        ietfSays("", "invalid", 400, false),
	keyRepeated:       ietfSays("", "invalid", 400, false),
	bodyTooLarge:      ietfSays("", "body-too-large", 413, false),
	reused:            ietfSays("Idempotency-Key is already used", "reused", 422, false),
	inProgress:        ietfSays("A request is outstanding for this Idempotency-Key", "in-progress", 409, true),
	outcomeUnknown:    ietfSays("", "outcome-unknown", 409, false),
	replayUnavailable: ietfSays("", "replay-unavailable", 409, false),
	unavailable:       ietfSays("", "unavailable", 503, true),
}

var credicorpWords = map[outcome]words{
	keyMissing:   {says: []string{"{\n  \"error\": {\n    \"type\": \"invalid_request_error\",\n    \"code\": \"parameter_missing\",\n"}},
	keyMalformed: {says: []string{"{\n  \"error\": {\n    \"type\": \"invalid_request_error\",\n    \"code\": \"invalid_request\",\n"}},
	keyTooLong:   {says: []string{"{\n  \"error\": {\n    \"type\": \"invalid_request_error\",\n    \"code\": \"invalid_request\",\n"}},
	keyRepeated:  {says: []string{"{\n  \"error\": {\n    \"type\": \"invalid_request_error\",\n    \"code\": \"invalid_request\",\n"}},
	reused: {status: 409, body: `{
  "error": {
    "type": "invalid_request_error",
    "code": "idempotency_key_reused",
    "message": "An idempotency key was reused with a different body.",
    "param": "Idempotency-Key"
  }
}`},
	inProgress: {body: `{
  "error": {
    "type": "invalid_request_error",
    "code": "idempotency_key_in_progress",
    "message": "A request with this key is still being processed.",
    "param": "Idempotency-Key"
  }
}`},
	unavailable: {body: `{
  "error": {
    "type": "api_error",
    "code": "temporarily_unavailable",
    "message": "The service is briefly unavailable."
  }
}`},
}

const (
	bluesnapMismatch   = "This occurs if there is an attempt to reuse an Idempotency-Key with a request different from the first request attempt."
	bluesnapInProgress = "This occurs if a request is retried using the same Idempotency-Key as the original request while it is still being processed."
	bluesnapTooLong    = "This occurs if the Idempotency-Key header exceeds the maximum length of 64 characters."
	bluesnapInvalid    = "This occurs if the Idempotency-Key header contains invalid characters. It can only contain Alpha-Numeric characters or hyphens."
	bluesnapTimeout    = "This occurs if the idempotency service is currently unavailable. Please try again later."
)

var bluesnapWords = map[outcome]words{
	reused:       bluesnapJSON("SAME_IDEMPOTENCY_KEY_WAS_ALREADY_IN_USE_WITH_PREVIOUS_DIFFERENT_REQUEST", "60101", bluesnapMismatch),
	inProgress:   bluesnapJSON("REQUEST_WITH_SAME_IDEMPOTENCY_KEY_ALREADY_IN_PROGRESS", "60102", bluesnapInProgress),
	keyTooLong:   bluesnapJSON("IDEMPOTENCY_KEY_MAX_LENGTH_LIMIT_EXCEEDED", "60103", bluesnapTooLong),
	keyMalformed: bluesnapJSON("INVALID_IDEMPOTENCY_KEY", "60104", bluesnapInvalid),
	unavailable:  bluesnapJSON("IDEMPOTENCY_SERVICE_TIMEOUT", "60106", bluesnapTimeout),
}

var bluesnapXMLWords = map[outcome]words{
	reused:       bluesnapXML("SAME_IDEMPOTENCY_KEY_WAS_ALREADY_IN_USE_WITH_PREVIOUS_DIFFERENT_REQUEST", "60101", bluesnapMismatch),
	inProgress:   bluesnapXML("REQUEST_WITH_SAME_IDEMPOTENCY_KEY_ALREADY_IN_PROGRESS", "60102", bluesnapInProgress),
	keyTooLong:   bluesnapXML("IDEMPOTENCY_KEY_MAX_LENGTH_LIMIT_EXCEEDED", "60103", bluesnapTooLong),
	keyMalformed: bluesnapXML("INVALID_IDEMPOTENCY_KEY", "60104", bluesnapInvalid),
	unavailable:  bluesnapXML("IDEMPOTENCY_SERVICE_TIMEOUT", "60106", bluesnapTimeout),
}

var stripeWords = map[outcome]words{
	inProgress: {body: `{"error":{"code":"idempotency_key_in_use","doc_url":"https://stripe.com/docs/error-codes/idempotency-key-in-use",` +
		`"message":"There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): {KEY}. Please try again later.",` +
		`"type":"invalid_request_error"}}`},
	reused: {status: 400, body: `{"error":{"message":"Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '{KEY}' if you meant to execute a different request.",` +
		`"type":"idempotency_error"}}`},
}

func problemSays(code string, status int, retryable bool) words {
	return words{says: []string{
		`#` + code + `","title":"`,
		fmt.Sprintf(`","status":%d,"detail":"`, status),
		fmt.Sprintf(`","code":"%s","retryable":%v}`, code, retryable),
	}}
}

// ietfSays has no title where the draft gives none.
func ietfSays(title, code string, status int, retryable bool) words {
	w := problemSays(code, status, retryable)
	w.says[0] = `{"type":"` + GoldenPage + `","title":"` + title
	if title != "" {
		w.says[0] += `","status":`
	}
	return w
}

func bluesnapJSON(name, code, description string) words {
	return words{body: `{"message":[{"errorName":"` + name + `","code":"` + code + `","description":"` + description + `"}]}`}
}

func bluesnapXML(name, code, description string) words {
	return words{body: `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` +
		`<messages xmlns="http://ws.plimus.com"><message><error-name>` + name + `</error-name>` +
		`<code>` + code + `</code><description>` + description + `</description></message></messages>`}
}
