package dialect

import (
	"cmp"
	"net/http"
)

// draftURL is the page of all versions of the draft, so it stays valid when a new one appears.
const draftURL = "https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"

// IETF is the [Dialect] of draft-ietf-httpapi-idempotency-key-header-07. It has the members of
// [Problem], with the draft's words where the draft has any (in its section Error Scenarios). All
// outcomes have the same type, and differ by their code. As in the draft's examples, the type is
// the URL of the API's page about idempotency, Info.DocURL; without one it is the draft's own page.
type IETF struct{}

// Syntax returns [Strict]: by §2.1 of the draft the value must be a String. With [Lenient], clients
// would learn to send keys that other servers of the same standard refuse. A server may still be
// configured to accept Lenient.
func (IETF) Syntax() KeySyntax { return Strict }

// Marker returns Idempotency-Replayed: true. The draft has no marker.
func (IETF) Marker(string) (name, value string) { return Problem{}.Marker("") }

// Stores reports what [Problem.Stores] does. The draft says "success or an error", without saying
// which errors.
func (IETF) Stores(status int) bool { return IsFinal(status) }

// Render returns the problem. As in the draft's examples, its language is declared, unless the
// message is the operator's.
func (IETF) Render(o Outcome, info Info) Rendering {
	if o == ReplayHidden {
		return notFound()
	}
	title, detail := draftText(o, info)
	answer := renderProblem(o, problem{
		Type:   cmp.Or(info.DocURL, draftURL),
		Title:  title,
		Detail: cmp.Or(info.Message, detail),
	})
	if info.Message == "" {
		answer.Header = http.Header{"Content-Language": {"en"}}
	}
	return answer
}

func draftText(o Outcome, info Info) (title, detail string) {
	const usage = "This operation is idempotent and it requires correct usage of Idempotency Key."
	switch o {
	case KeyMissing:
		return "Idempotency-Key is missing", usage
	case Reused:
		return "Idempotency-Key is already used",
			usage + " Idempotency Key MUST not be reused across different payloads of this operation."
	case InProgress:
		return "A request is outstanding for this Idempotency-Key",
			"A request with the same Idempotency-Key for the same operation is being processed or is outstanding."
	}
	return problemText(o, info)
}
