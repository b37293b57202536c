package dialect

import (
	"cmp"
	"net/url"
	"strconv"
)

// defaultTypeBase begins the type URIs of [Problem]. It is an absolute URI, as RFC 9457 §3.1.1
// recommends, and opens the README, which has an anchor for each code, whatever branches and files
// are called. Clients compare these URIs, so they never change.
const defaultTypeBase = "https://github.com/reprise-go/reprise#"

// Problem is the default [Dialect]: application/problem+json by RFC 9457, with two members of its
// own, code and retryable. The zero value is ready for use.
type Problem struct {
	// TypeBase begins the type URI of a problem, and the code ends it, so it should end in '#', '/'
	// or ':'. Empty means https://github.com/reprise-go/reprise#.
	TypeBase string

	// InstanceBase begins the instance of a problem (RFC 9457 §3.1.5), a URI reference, and
	// Info.RequestID ends it, escaped as a path segment. It is for an API that lets its requests be
	// looked up, so it should end in '/', ':' or '='. Empty, like an empty RequestID, means that
	// problems have no instance.
	InstanceBase string
}

// problem has its fields in the order in which they are written.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	Retryable bool   `json:"retryable"`
	Instance  string `json:"instance,omitempty"`
}

// Syntax returns [Lenient].
func (Problem) Syntax() KeySyntax { return Lenient }

// Marker returns Idempotency-Replayed: true.
func (Problem) Marker(string) (name, value string) { return "Idempotency-Replayed", "true" }

// Stores reports true for 2xx, 3xx and 4xx except 401, 403, 408, 409, 421, 423, 425 and 429.
func (Problem) Stores(status int) bool { return IsFinal(status) }

// Render returns the problem. A code always has the same title; details may be reworded.
func (p Problem) Render(o Outcome, info Info) Rendering {
	if o == ReplayHidden {
		return notFound()
	}
	title, detail := problemText(o, info)
	instance := ""
	if p.InstanceBase != "" && info.RequestID != "" {
		instance = p.InstanceBase + url.PathEscape(info.RequestID)
	}
	return renderProblem(o, problem{
		Type:     cmp.Or(p.TypeBase, defaultTypeBase) + o.String(),
		Title:    title,
		Detail:   cmp.Or(info.Message, detail),
		Instance: instance,
	})
}

// renderProblem renders p with what the table of outcomes says.
func renderProblem(o Outcome, p problem) Rendering {
	p.Status, p.Code, p.Retryable = o.Status(), o.String(), o.Retryable()
	return Rendering{Status: o.Status(), ContentType: "application/problem+json", Body: encodeJSON(p, "")}
}

// problemText tells an API client what is wrong and what to do about it. It quotes nothing of the
// request, only the name of a header that the configuration accepts.
func problemText(o Outcome, info Info) (title, detail string) {
	header := cmp.Or(info.Header, "Idempotency-Key")
	accepted := ""
	if info.Want != "" {
		accepted = " Accepted: " + info.Want + "."
	}
	const invalid = "Idempotency-Key is not valid"
	switch o {
	case KeyMissing:
		return "Idempotency-Key is missing",
			"This request needs the header " + header + ", with a new key for each operation and the same key whenever " +
				"that operation is tried again." + accepted
	case KeyMalformed:
		return invalid, "The value of the header " + header + " is not a valid key." + accepted
	case KeyTooLong:
		return invalid, "The key in the header " + header + " is too long." + accepted
	case KeyRepeated:
		return invalid, "A second key was sent in the header " + header + "." + accepted
	case BodyTooLarge:
		return "Request body is too large",
			"The body of a request with a key may have at most " + strconv.FormatInt(info.MaxBody, 10) + " bytes. The " +
				"request was not carried out."
	case Reused:
		return "Idempotency-Key is already used for another request",
			"The key was first used for a request with another method, path, query, media type or body. This request was " +
				"not carried out. Use a new key for a new operation."
	case InProgress:
		return "A request with this Idempotency-Key is in progress",
			"A request with this key is still being carried out. Send the same request with the same key again, after the " +
				"seconds in Retry-After, to receive its answer."
	case OutcomeUnknown:
		return "The outcome of an earlier request with this Idempotency-Key is unknown",
			"An earlier request with this key ended before it was answered, and it may or may not have taken effect. Find " +
				"out before you act: a new key could carry the operation out twice."
	case ReplayUnavailable:
		return "The answer to this Idempotency-Key was not kept",
			"The request with this key was carried out, but its answer was too large to keep. It will not be carried out " +
				"again. Read the resource to see the result."
	case Unavailable:
		return "The service is briefly unavailable",
			"Requests with a key can't be made safe to repeat at the moment. Send the same request with the same key again, " +
				"after the seconds in Retry-After."
	case Unreadable:
		return "The answer to this Idempotency-Key can't be read",
			"What is stored for this key can't be read. Trying again does not help: the operator of this API has to look " +
				"into it."
	case ReplayRefused:
		return "The answer to this Idempotency-Key is not available to this caller",
			"This key has been used before, and what became of it may not be shown to this caller. This request was not " +
				"carried out."
	case BodyIncomplete:
		return "Request body is incomplete",
			"The body ended before it was complete. The request was not carried out, and its key is not used up."
	case Unscoped:
		return "The caller can't be told",
			"A request with a key must say whose key it is, in the way that this API asks for. The request was not carried " +
				"out, and its key is not used up."
	}
	return "The request could not be handled", "The request could not be handled."
}
