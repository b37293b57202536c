// Package httpadapter makes HTTP handlers safe to retry. A client sends Idempotency-Key with a
// request; while the first request under that key runs, nobody else may run it, and once it has
// answered, every retry gets that answer back: status, headers, bytes and trailers.
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
//	engine, err := replay.New(client, replay.Config{})
//	if err != nil { … }
//	adapter, err := httpadapter.New(engine, httpadapter.Config{
//		Scope: httpadapter.ScopeFunc(account), // whose key it is
//	})
//	if err != nil { … }
//	mux.Handle("POST /payments", adapter.Handler(payments))
//
// The handler's answer is held back until it is stored. A duplicate of a request in progress gets
// 409 with Retry-After, a key that is used for another request 422, and a Redis that can't be asked
// 503; see [dialect.Outcome]. The handler learns its attempt and fence from its context, by
// [replay.AttemptFrom]; that context ends if the lease is lost, but not when the client hangs up:
// the work goes on, and its answer waits for the retry.
//
// Routes that differ in policies (a required key, time to live, what is stored, waiting, the
// dialect) have each an adapter from [Adapter.Route]. What tells two requests apart is a
// [Fingerprint].
//
// # What becomes of an answer
//
//	2xx, 3xx, final 4xx           stored; the same request would meet the same again
//	401, 403, 408, 409, 421,      not stored, key released: the next request is the first
//	423, 425, 429
//	5xx, a panic among them       not stored, key abandoned: the next is attempt 2, what 1 did is
//	                              unknown
//
// That is StoreFinal, and how most dialects have it; see Config.Stores. Where the key is abandoned,
// OnFailure may have it released instead.
//
// # Waiting
//
// A duplicate can wait for the answer instead of getting 409 at once: as long as Config.Wait or the
// engine says, or as the client asks by Prefer: wait=N within Config.PreferWait. All who wait for
// one key on one machine share a subscription, by which its commit wakes them, and the one question
// that follows; meanwhile Redis is asked once in 5 s. More than lock.Config.MaxWaiters, or
// MaxWaitersPerScope in one scope, get their 409 at once. A server that shuts down should send them
// away, or it would wait for them in its turn:
//
//	server.RegisterOnShutdown(engine.StopWaiting)
//
// # Shadow
//
// With replay.Config.Shadow every request runs as if there were no adapter. What would have been
// answered in its place is told to the engine's Trace and in the header Idempotency-Shadow, in the
// words of replay.Outcome: replayed, reused, in-progress and so on. Both are also told what the adapter
// refuses before it asks the engine (missing, invalid, unscoped, body-incomplete, body-too-large), but
// replay.ShadowFrom is not.
//
// # Where it belongs
//
// Authentication and rate limits go outside, so that a 401 or 429 neither uses up nor reveals a
// key. Compression goes outside too, so that each client gets the encoding that it accepts.
// Recovery from panics goes outside and must let [http.ErrAbortHandler] through: by it the adapter
// breaks off an answer that is not the one to be replayed. What renders errors goes inside, or a
// replay would lack what it adds. An adapter inside another of the same engine lets requests pass.
// docs/middleware.md says where each middleware belongs, and what happens on the other side.
//
// # Dialects
//
// A [dialect.Dialect] is how the API talks of idempotency: which keys it accepts, status and body
// of each error, how a replay is marked, and which answers are stored. Config.DialectName chooses a
// ready-made one of package dialect, which has their table; Config.Dialect takes one of your own,
// and the example of Config writes one.
//
// Whatever the dialect, Retry-After is there if, and only if, the same request may be sent again,
// and the error has Cache-Control: no-store and X-Should-Retry. Config.Message rewords or
// translates the text for people, never a code. No record keeps a marker of any dialect, so a
// replay shows its own and no other: what a handler sets under one of the three names,
// Idempotency-Key among them, is in the first answer only.
//
// # Limits
//
// Those of package replay, and:
//
//   - An answer over Config.MaxResponse reaches the client whole but is not kept: a retry gets 409,
//     and nothing runs a second time.
//   - An answer that the handler flushes reaches the client before it is stored. A client that
//     leaves meanwhile is no error of Write or Flush, as long as a retry will get the answer.
//   - An answer that a retry will not get has Idempotency-Stored: false. One that too few replicas
//     have confirmed, in acked mode (lock.Config.Acks), has Idempotency-Stored: unconfirmed.
//   - An answer that is shorter than its own Content-Length is broken off, as net/http does, and
//     counts as failed.
//   - Hijack is refused.
//
// Each request under a key holds its body and its answer, at most MaxBody + MaxResponse bytes, and
// up to twice MaxResponse more while the answer is encoded and on its way to Redis, or from there.
// One that waits holds its body. Memory follows the bytes that come and never those that are
// announced: up to twice what has come, and 4 KiB before any has. Bytes of an answer past the cap
// are held nowhere. A record is held to all this when it is read, whoever wrote it: to MaxResponse,
// and to the headers that records keep.
//
// # What belongs here
//
// This package owns the server's side of HTTP: whose key a request has, its body and [Fingerprint],
// the handler's answer, and the way of a request through the engine. It must not know locks or
// scripts, which are replay's business, the words of errors, which are package dialect's, nor the
// client's side, which is httpclient. Package grpcadapter is its twin, and says where the two
// differ and why. How this package behaves in time and under faults is tested in
// integration/httpadapter, by make test-httpadapter.
package httpadapter
