// Package httpadapter makes HTTP handlers safe to retry. A client sends Idempotency-Key with a
// request; while the first request under that key runs, nobody else may run it, and once it has
// answered, every retry gets that answer back: status, headers, bytes and trailers.
//
//	engine, err := replay.New(client, replay.Config{})
//	adapter, err := httpadapter.New(engine, httpadapter.Config{
//		Scope: httpadapter.ScopeHeader("X-Account"), // whose key it is
//	})
//	mux.Handle("POST /payments", adapter.Handler(payments))
//
// The handler's answer is held back until it is stored. A duplicate of a request in flight gets 409
// with Retry-After, a key that is used for another request 422, and a Redis that can't be asked 503;
// see [Problem]. The handler learns its attempt and fence from its context, by
// [replay.AttemptFrom]; that context ends if the lease is lost, but not when the client hangs up:
// the work goes on and its answer waits for the retry.
//
// # Where it belongs
//
// Authentication and rate limits go outside, so that a 401 or 429 neither uses up nor reveals a key;
// compression goes outside too, so that each client gets the encoding that it accepts.
//
// # Limits
//
// Those of package replay. An answer over Config.MaxResponse reaches the client whole but is not
// kept: a retry gets 409, and nothing runs a second time. An answer that the handler flushes reaches
// the client before it is stored. What a retry will not get is marked Idempotency-Stored: false, and
// what too few replicas have confirmed, in acked mode (lock.Config.Acks), Idempotency-Stored:
// unconfirmed. One that is shorter than its own Content-Length is broken off, as
// net/http does, and counts as failed. Each request under a key holds up to MaxBody + MaxResponse bytes
// of memory, and a copy of the answer while it is stored. Hijack is refused.
package httpadapter
