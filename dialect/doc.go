// Package dialect is what is said on the wire about idempotency: which header field values are keys ([KeySyntax]), what
// becomes of a request that is answered by neither its handler nor a record ([Outcome]), and how an API says so
// ([Dialect]). Servers speak a dialect; clients recognise one ([Recognise]).
//
//	key, err := dialect.Lenient.Parse(r.Header.Values(dialect.KeyHeader)) // err is a *dialect.KeyError
//	answer := dialect.Stripe{}.Render(dialect.InProgress, dialect.Info{Key: key})
//
// The ready-made dialects, by the names that settings have for them ([Named]):
//
//	name       type       in progress  mismatch  marker                      keys                       stores
//	problem    Problem    409          422       Idempotency-Replayed: true  Lenient                    final answers
//	ietf       IETF       409          422       Idempotency-Replayed: true  Strict                     final answers
//	credicorp  Credicorp  409          409       Idempotency-Replayed: true  1 to 255 visible ASCII     final answers
//	bluesnap   BlueSnap   409          422       Idempotency-Key: the key    1 to 64 of A-Z a-z 0-9 -   final answers
//	stripe     Stripe     409          400       Idempotent-Replayed: true   1 to 255 characters        all, 5xx too
//
// The vendors' words are those of their public pages; an outcome that they have none for is answered in their shape,
// with the default's status. [IsFinal] says which answers are final.
//
// # What belongs here
//
// This package owns the words: syntax of keys, codes, statuses, bodies, markers, and which statuses a dialect stores. It
// must not know Redis, records or locks, how a server runs its handler or a client its tries, nor where settings come
// from. It links nothing outside the standard library, so that whoever needs a key's syntax or an outcome gets no more
// than that. The headers that an error has in every dialect, and which answers are stored in the end, are
// httpadapter's; when to send a request again is httpclient's.
package dialect
