package dialect

import (
	"cmp"
	"net/http"
	"strconv"
)

// Stripe is the [Dialect] of the Stripe API. Some of its SDKs follow Stripe-Should-Retry before they look at a status,
// such as stripe-python and stripe-go up to v81; stripe-go v82.5.0 and v85.0.0 read it for no error in this form, and
// so retry neither the 409 nor the 503 (docs/clients.md; let duplicates wait for those, by replay.Config.Wait). Its
// request ID is a header, Request-Id, and no member of the body.
type Stripe struct{}

// stripeError has the members in the order in which they are written, which is the alphabet's.
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

// Syntax returns Raw(255): the vendor limits the length and says nothing of characters.
func (Stripe) Syntax() KeySyntax { return stripeKeys }

// Marker returns Idempotent-Replayed: true.
func (Stripe) Marker(string) (name, value string) { return "Idempotent-Replayed", "true" }

// MarkReplay says Stripe-Should-Retry: false of a stored 5xx, which the vendor's SDKs would send again: they would
// get the same until the record expires.
func (Stripe) MarkReplay(status int, header http.Header) {
	if status >= 500 {
		header.Set("Stripe-Should-Retry", "false")
	}
}

// Stores reports true: the vendor keeps the first answer "regardless of whether it succeeds or fails", 500 included.
func (Stripe) Stores(int) bool { return true }

// Render returns the outcome's error. The two that the vendor words repeat the key, which is valid by then.
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
	case Reused: // has a type of its own in place of a code
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
