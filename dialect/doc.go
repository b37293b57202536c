// Package dialect is what a server and a client say to each other about idempotency: which header
// values are keys ([KeySyntax]), why a request is answered without running its handler ([Outcome]),
// and in which words an API says so ([Dialect]). Servers speak a dialect; clients recognise one
// ([Recognise]).
//
//	key, err := dialect.Lenient.Parse(r.Header.Values(dialect.KeyHeader))
//	if err != nil {
//		http.Error(w, err.Error(), http.StatusBadRequest) // err is a *dialect.KeyError
//		return
//	}
//	answer := dialect.Stripe{}.Render(dialect.InProgress, dialect.Info{Key: key})
//	w.Header().Set("Content-Type", answer.ContentType)
//	w.WriteHeader(answer.Status) // 409
//	w.Write(answer.Body)
//
// These dialects are ready-made. Settings choose one by its name ([Named]):
//
//	name       type       in-progress  reused  marker                      keys                       stores
//	problem    Problem    409          422     Idempotency-Replayed: true  Lenient                    final answers
//	ietf       IETF       409          422     Idempotency-Replayed: true  Strict                     final answers
//	credicorp  Credicorp  409          409     Idempotency-Replayed: true  1 to 255 visible ASCII     final answers
//	bluesnap   BlueSnap   409          422     Idempotency-Key: the key    1 to 64 of A-Z a-z 0-9 -   final answers
//	stripe     Stripe     409          400     Idempotent-Replayed: true   1 to 255 characters        all, also 5xx
//
// The words of a vendor's dialect are those of its public pages. An outcome that the pages don't
// have is answered in the vendor's shape, with the default status. [IsFinal] says which answers are
// final.
//
// # What belongs here
//
// This package owns the words: the syntax of keys, codes, statuses, bodies, markers, and which
// statuses a dialect stores. It must not know Redis, records or locks, how a server runs its
// handler or a client its tries, or where settings come from. It links nothing outside the standard
// library. The headers that an error has in every dialect belong to internal/refusal, which answers
// are stored in the end to httpadapter, and when to send a request again to httpclient. How this
// package behaves is tested beside its code (make test-dialect), and from outside in
// integration/conformance.
package dialect
