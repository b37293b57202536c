// Package reprisetest answers one question: is my handler safe to retry? [RetrySafe] plays against it
// what happens in production, and tells of each thing that goes wrong what happened, in order, and
// which tool cures it.
//
//	func TestPaymentsAreRetrySafe(t *testing.T) {
//		db := openTestDatabase(t)
//		reprisetest.RetrySafe(t, reprisetest.Subject{
//			Handler: func(t *testing.T, engine *replay.Engine) http.Handler { return newAPI(engine, db) },
//			Request: func(key string) *http.Request {
//				r := httptest.NewRequest("POST", "/payments", strings.NewReader(`{"amount":1999}`))
//				r.Header.Set("Idempotency-Key", key)
//				return r
//			},
//			Effects: func(t *testing.T) map[string]int {
//				return map[string]int{"payments": count(t, db, "payments"), "mails": count(t, db, "outbox")}
//			},
//		})
//	}
//
// Each scene is a subtest, named by its promise: a duplicate, twenty at once, a client that hangs up,
// a process that dies before or after the effect, a lease that is lost before or after it, a Redis that
// forgets or is down, another body under the key. The rule of all of them: the requests of one key
// together have done what one request does, and all who got an answer got the same one.
//
// The handler is run as it is served: nothing of this package gets into it, and no clock is faked in
// it, so that it can use real databases. RetrySafe stands in two places alone, where the client is and
// where Redis is. It stops a process by holding what goes between that process and Redis, and ends
// a lease by moving Redis's clock, so that nothing waits for time to pass: for a handler that takes
// no time, all scenes take a fraction of a second.
//
// [Engine] is for tests of one's own: an engine over a Redis inside the test.
//
// # What it does not prove
//
//   - That the handler is safe between any two of its statements. A process is stopped after it has
//     got the key and before the handler begins, or when the handler has ended and before the answer
//     is stored; a handler with two effects can die between them. Where both are in one transaction,
//     as with package effect, there is no between.
//   - Anything of effects that Effects doesn't count, or that come after Effects has counted.
//   - Anything of the real Redis: replication, failover, memory. They do to a key what the scenes do
//     to it, but at their own times; reprise's own tests break real clusters.
//   - That two different requests don't disturb each other, unless they share a key.
//
// # What belongs here
//
// This package owns the scenes, what counts as safe, and the words for what is not. It is a module of
// its own, because it needs an embedded Redis, which nobody's server should link. It must not know
// scripts or locks: it tells a grant by the claim in the reply, whose form is documented for operators.
package reprisetest
