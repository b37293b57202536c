package dialect

import (
	"cmp"
	"net/http"
)

// Credicorp is the [Dialect] of the Credicorp API, whose error envelope is {"error": {type, code, message, param}}. Its
// clients branch on the code, which never changes. The page on idempotency_key_in_progress says both "wait and retry"
// and "not safe to retry" of its 409: here Retry-After says which, as in every dialect.
type Credicorp struct{}

// credicorpError has the members in the order in which they are written. The last two are in the vendor's general
// envelope and not on the page of the 409, so they are written only if the operator set them.
type credicorpError struct {
	Error struct {
		Type      string `json:"type"`
		Code      string `json:"code"`
		Message   string `json:"message"`
		Param     string `json:"param,omitempty"`
		DocURL    string `json:"doc_url,omitempty"`
		RequestID string `json:"request_id,omitempty"`
	} `json:"error"`
}

var credicorpKeys = Raw(255, "!-~")

// Syntax returns Raw(255, "!-~"): visible ASCII, quotes included.
func (Credicorp) Syntax() KeySyntax { return credicorpKeys }

// Marker returns Idempotency-Replayed: true.
func (Credicorp) Marker(string) (name, value string) { return "Idempotency-Replayed", "true" }

// Stores reports what [Problem.Stores] does.
func (Credicorp) Stores(status int) bool { return IsFinal(status) }

// Render returns the outcome's error, indented by two spaces as on the vendor's page.
func (Credicorp) Render(o Outcome, info Info) Rendering {
	if o == ReplayHidden {
		return notFound()
	}
	status := o.Status()
	if o == Reused {
		status = http.StatusConflict // told from the one in progress by its code, and by Retry-After
	}
	code, message := credicorpText(o, info)
	var body credicorpError
	e := &body.Error
	e.Type, e.Code, e.Message = vendorType(status), code, cmp.Or(info.Message, message)
	switch o { // "when it is about one field": the key's, and not the body or the service
	case KeyMissing, KeyMalformed, KeyTooLong, KeyRepeated, Reused, InProgress, OutcomeUnknown, ReplayUnavailable:
		e.Param = cmp.Or(info.Header, KeyHeader)
	}
	e.DocURL, e.RequestID = info.DocURL, info.RequestID
	return Rendering{Status: status, ContentType: "application/json", Body: encodeJSON(body, "  ")}
}

// credicorpText returns the vendor's code and message. Only the two 409s are on its pages to the word.
func credicorpText(o Outcome, info Info) (code, message string) {
	_, message = problemText(o, info)
	switch o {
	case InProgress:
		return "idempotency_key_in_progress", "A request with this key is still being processed."
	case Reused:
		return "idempotency_key_reused", "An idempotency key was reused with a different body."
	case KeyMissing: // worded like its example of a missing parameter
		return "parameter_missing", "Missing required parameter: " + cmp.Or(info.Header, KeyHeader) + "."
	case KeyMalformed, KeyTooLong, KeyRepeated:
		return "invalid_request", message
	case Unavailable:
		return "temporarily_unavailable", "The service is briefly unavailable."
	}
	return vendorCode(o), message
}
