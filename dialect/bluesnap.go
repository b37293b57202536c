package dialect

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"github.com/reprise-go/reprise/internal/field"
)

// BlueSnap is the [Dialect] of the BlueSnap API. It answers in JSON or XML: in the one that the
// request's Accept prefers, else in that of its Content-Type, else in JSON. Its codes are strings
// of five digits.
type BlueSnap struct{}

// bluesnapErrors is a list of one error. Its fields are in the order in which both forms have them.
type bluesnapErrors struct {
	XMLName xml.Name        `json:"-" xml:"http://ws.plimus.com messages"`
	Message []bluesnapError `json:"message" xml:"message"`
}

type bluesnapError struct {
	Name        string `json:"errorName" xml:"error-name"`
	Code        string `json:"code" xml:"code"`
	Description string `json:"description" xml:"description"`
}

const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`

var bluesnapKeys = Raw(64, "A-Z", "a-z", "0-9", "-")

// Syntax returns Raw(64) of letters, digits and the hyphen. The vendor doesn't say which of two
// faults it reports; here it is the length.
func (BlueSnap) Syntax() KeySyntax { return bluesnapKeys }

// Marker returns the key itself, in the header Idempotency-Key.
func (BlueSnap) Marker(key string) (name, value string) { return "idempotency-key", key }

// Stores reports what [Problem.Stores] does.
func (BlueSnap) Stores(status int) bool { return IsFinal(status) }

// Render returns the error in the form that the request asks for. The statuses are the defaults.
// They agree with the two that the vendor's page has, 422 and 409.
func (BlueSnap) Render(o Outcome, info Info) Rendering {
	if o == ReplayHidden {
		return notFound()
	}
	e := bluesnapText(o, info)
	e.Description = cmp.Or(info.Message, e.Description)
	list := bluesnapErrors{Message: []bluesnapError{e}}
	if !prefersXML(info.Request) {
		return Rendering{ContentType: "application/json", Body: encodeJSON(list, "")}
	}
	body, err := xml.Marshal(list)
	if err != nil {
		panic("dialect: " + err.Error()) // a struct of strings always encodes
	}
	return Rendering{ContentType: "application/xml", Body: append([]byte(xmlDeclaration), body...)}
}

func bluesnapText(o Outcome, info Info) bluesnapError {
	_, text := problemText(o, info)
	// The vendor's descriptions are about the vendor's keys. They would mislead if other keys are
	// accepted, or if several keys were sent. Name and code stay in any case.
	isVendorSyntax := info.Want == "" || info.Want == bluesnapKeys.Want()
	switch o {
	case Reused:
		return bluesnapError{"SAME_IDEMPOTENCY_KEY_WAS_ALREADY_IN_USE_WITH_PREVIOUS_DIFFERENT_REQUEST", "60101",
			"This occurs if there is an attempt to reuse an Idempotency-Key with a request different from the first " +
				"request attempt."}
	case InProgress:
		return bluesnapError{"REQUEST_WITH_SAME_IDEMPOTENCY_KEY_ALREADY_IN_PROGRESS", "60102",
			"This occurs if a request is retried using the same Idempotency-Key as the original request while it is " +
				"still being processed."}
	case KeyTooLong:
		if isVendorSyntax {
			text = "This occurs if the Idempotency-Key header exceeds the maximum length of 64 characters."
		}
		return bluesnapError{"IDEMPOTENCY_KEY_MAX_LENGTH_LIMIT_EXCEEDED", "60103", text}
	case KeyMalformed, KeyRepeated: // several field lines are one line with commas (RFC 9110 §5.3)
		if isVendorSyntax {
			text = "This occurs if the Idempotency-Key header contains invalid characters. It can only contain " +
				"Alpha-Numeric characters or hyphens."
		}
		return bluesnapError{"INVALID_IDEMPOTENCY_KEY", "60104", text}
	case Unavailable:
		return bluesnapError{"IDEMPOTENCY_SERVICE_TIMEOUT", "60106",
			"This occurs if the idempotency service is currently unavailable. Please try again later."}
	}
	// Clients parse the code as a number. The status is none of the vendor's five-digit codes.
	return bluesnapError{strings.ToUpper(vendorCode(o)), strconv.Itoa(o.Status()), text}
}

// prefersXML reports whether a request prefers XML to JSON. One without a preference gets what it
// sent.
func prefersXML(r *http.Request) bool {
	if r == nil {
		return false
	}
	accepts := r.Header.Values("Accept")
	inXML, inJSON := quality(accepts, "application/xml"), quality(accepts, "application/json")
	if inXML != inJSON {
		return inXML > inJSON
	}
	sent := field.MediaType(r.Header.Get("Content-Type"))
	return sent == "application/xml" || sent == "text/xml" || strings.HasSuffix(sent, "+xml")
}
