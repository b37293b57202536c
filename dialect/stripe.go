package dialect

import (
	"cmp"
	"net/http"
	"strconv"
)

// Stripe is the [Dialect] of the Stripe API. Its request ID is in the header Request-Id, and not in
// the body.
//
// Some of the vendor's SDKs look at Stripe-Should-Retry before the status, stripe-python and
// stripe-go up to v81 among them. stripe-go v82.5.0 and v85.0.0 don't read it for errors of this
// form, and so retry neither the 409 nor the 503: for those, let duplicates wait
// (replay.Config.Wait). See docs/clients.md.
type Stripe struct{}

// stripeError has its fields in the order in which they are written, which is alphabetical.
type stripeError struct {
	Error struct {
		Code    string `json:"code,omitempty"`
		DocURL  string `json:"doc_url,omitempty"`
		Message string `json:"message"`
		Type    string `json:"type"`
	} `json:"error"`
}

const stripeInUseURL = "https://stripe.com/docs/error-codes/idempotency-key-in-use"

var stripeKeys = Raw(255)

// Syntax returns Raw(255): the vendor limits the length, and says nothing about characters.
func (Stripe) Syntax() KeySyntax { return stripeKeys }

// Marker returns Idempotent-Replayed: true.
func (Stripe) Marker(string) (name, value string) { return "Idempotent-Replayed", "true" }

// MarkReplay adds Stripe-Should-Retry: false to a stored 5xx. Without it the vendor's SDKs would
// send the request again, and get the same answer until the record expires.
func (Stripe) MarkReplay(status int, header http.Header) {
	if status >= 500 {
		header.Set("Stripe-Should-Retry", "false")
	}
}

// Stores reports true: the vendor keeps the first answer "regardless of whether it succeeds or
// fails", 500 included.
func (Stripe) Stores(int) bool { return true }

// Render returns the error. The two messages that are the vendor's quote the key, which has been
// validated.
func (Stripe) Render(o Outcome, info Info) Rendering {
	if o == ReplayHidden {
		return notFound()
	}
	status := o.Status()
	var body stripeError
	e := &body.Error
	switch o {
	case InProgress:
		e.Code, e.DocURL = "idempotency_key_in_use", stripeInUseURL
		e.Message = "There is currently another in-progress request using this Idempotent Key (that probably means you " +
			"submitted twice, and the other request is still going through): " + info.Key + ". Please try again later."
	case Reused: // it has a type of its own, and no code
		status = http.StatusBadRequest
		e.Type = "idempotency_error"
		e.Message = "Keys for idempotent requests can only be used with the same parameters they were first used with. " +
			"Try using a key other than '" + info.Key + "' if you meant to execute a different request."
	default:
		e.Code = vendorCode(o)
		_, e.Message = problemText(o, info)
	}
	e.Type = cmp.Or(e.Type, vendorType(status))
	e.DocURL = cmp.Or(info.DocURL, e.DocURL)
	e.Message = cmp.Or(info.Message, e.Message)
	header := http.Header{"Stripe-Should-Retry": {strconv.FormatBool(o.Retryable())}}
	if info.RequestID != "" {
		header["Request-Id"] = []string{info.RequestID}
	}
	return Rendering{Status: status, ContentType: "application/json", Header: header, Body: encodeJSON(body, "")}
}
