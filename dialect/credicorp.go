package dialect

import (
	"cmp"
	"net/http"
)

// Credicorp is the [Dialect] of the Credicorp API. Its error envelope is {"error": {type, code,
// message, param}}, and its clients branch on the code, which never changes. The vendor's page on
// idempotency_key_in_progress says both "wait and retry" and "not safe to retry" of its 409. Here,
// as in every dialect, Retry-After says whether to retry.
type Credicorp struct{}

// credicorpError has its fields in the order in which they are written. The last two are part of
// the vendor's general envelope and not on its page about the 409, so they are optional.
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

// Render returns the error, indented by two spaces as on the vendor's page.
func (Credicorp) Render(o Outcome, info Info) Rendering {
	if o == ReplayHidden {
		return notFound()
	}
	status := o.Status()
	if o == Reused {
		status = http.StatusConflict // differs from InProgress by its code, and has no Retry-After
	}
	code, message := credicorpText(o, info)
	var body credicorpError
	e := &body.Error
	e.Type, e.Code, e.Message = vendorType(status), code, cmp.Or(info.Message, message)
	switch o { // param is for errors about one field: here that of the key
	case KeyMissing, KeyMalformed, KeyTooLong, KeyRepeated, Reused, InProgress, OutcomeUnknown, ReplayUnavailable:
		e.Param = cmp.Or(info.Header, KeyHeader)
	}
	e.DocURL, e.RequestID = info.DocURL, info.RequestID
	return Rendering{Status: status, ContentType: "application/json", Body: encodeJSON(body, "  ")}
}

// credicorpText returns code and message. Of these, the vendor's pages have the two 409s word for
// word.
func credicorpText(o Outcome, info Info) (code, message string) {
	_, message = problemText(o, info)
	switch o {
	case InProgress:
		return "idempotency_key_in_progress", "A request with this key is still being processed."
	case Reused:
		return "idempotency_key_reused", "An idempotency key was reused with a different body."
	case KeyMissing: // like the vendor's example of a missing parameter
		return "parameter_missing", "Missing required parameter: " + cmp.Or(info.Header, KeyHeader) + "."
	case KeyMalformed, KeyTooLong, KeyRepeated:
		return "invalid_request", message
	case Unavailable:
		return "temporarily_unavailable", "The service is briefly unavailable."
	}
	return vendorCode(o), message
}
