package dialect

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"github.com/reprise-go/reprise/internal/field"
)

// BlueSnap is the [Dialect] of the BlueSnap API, in JSON or in XML: whichever the request's Accept prefers, else that of
// its Content-Type, else JSON. Its codes are strings of five digits.
type BlueSnap struct{}

// bluesnapErrors is a list of one, with its members in the order in which both forms write them.
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

// Syntax returns Raw(64) of letters, digits and the hyphen. Which of two faults the vendor finds first is not on its
// page; here it is the length.
func (BlueSnap) Syntax() KeySyntax { return bluesnapKeys }

// Marker returns the key itself, as Idempotency-Key.
func (BlueSnap) Marker(key string) (name, value string) { return "idempotency-key", key }

// Stores reports what [Problem.Stores] does.
func (BlueSnap) Stores(status int) bool { return IsFinal(status) }

// Render returns the outcome's error in the form that the request asks for. Statuses are the defaults, which for the
// two that the vendor's page names, 422 and 409, are its own.
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
	// The vendor's descriptions tell of the vendor's keys. Where others are accepted, or where the key was one of
	// several, they would mislead; name and code stay.
	theirs := info.Want == "" || info.Want == bluesnapKeys.Want()
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
		if theirs {
			text = "This occurs if the Idempotency-Key header exceeds the maximum length of 64 characters."
		}
		return bluesnapError{"IDEMPOTENCY_KEY_MAX_LENGTH_LIMIT_EXCEEDED", "60103", text}
	case KeyMalformed, KeyRepeated: // two field lines are one with a comma in it (RFC 9110 §5.3)
		if theirs {
			text = "This occurs if the Idempotency-Key header contains invalid characters. It can only contain " +
				"Alpha-Numeric characters or hyphens."
		}
		return bluesnapError{"INVALID_IDEMPOTENCY_KEY", "60104", text}
	case Unavailable:
		return bluesnapError{"IDEMPOTENCY_SERVICE_TIMEOUT", "60106",
			"This occurs if the idempotency service is currently unavailable. Please try again later."}
	}
	// A number is what its clients parse; the status is one that can't be taken for any of the vendor's own.
	return bluesnapError{strings.ToUpper(vendorCode(o)), strconv.Itoa(o.Status()), text}
}

// prefersXML reports whether a request wants XML rather than JSON. Without preference it gets what it sent.
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
