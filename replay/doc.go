// Package replay makes work safe to ask for twice. Of all requests under one key, one at a time
// runs, the first committed answer wins, and every later request gets that answer back instead of
// running again, on any machine of the fleet.
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
//	engine, err := replay.New(client, replay.Config{}) // one for the whole program
//	…
//	request := replay.Request{Scope: order.Tenant, Key: order.ID, Fingerprint: order.Digest()}
//	receipt, result, err := replay.Do(ctx, engine, request,
//		func(ctx context.Context) (Receipt, error) { return charge(ctx, order) })
//	if errors.Is(err, replay.ErrInProgress) {
//		return err // another machine has the order: ask again later
//	}
//
// An [Engine] decides what becomes of a request: it runs the work, replays an answer, or refuses.
// [Do] serves queue consumers and jobs as they are; HTTP and gRPC have packages of their own,
// httpadapter and grpcadapter.
//
//	request → begin ── done ──────────→ replay the record
//	                ├─ in progress ───→ other fingerprint: ErrReused · wait, or ErrInProgress
//	                ├─ abandoned ─────→ policy: run again (attempt n+1) · refuse · reconcile
//	                └─ acquired ──────→ work (its context ends if the lease is lost) → commit → answer
//
// # Promises
//
//   - While a request holds a key, no other request on any machine runs under it.
//   - A key gets at most one record, and every later request of the same fingerprint gets it.
//   - An answer is given only after it is stored, unless the operator chose otherwise; then
//     [Result.Stored] is false.
//   - A request of another fingerprint never gets the answer.
//   - Work that lost its lease learns so from its context (cause [lock.ErrLost]), and its late
//     answer gives way to the winner's.
//   - Work that follows a failed or crashed attempt is told its number ([Attempt]).
//
// # Limits
//
// Those of package lock: work that ignores its context and its fence can act after it lost the
// key, and a Redis failover can forget a claim or a record. With [RunUnguarded] and with Shadow
// the first promise is waived.
//
// # Operators
//
// [Engine.Inspect] tells what stands under a key: in progress, abandoned, done, or nothing of
// reprise's. [Engine.Release], [Engine.Abandon] and [Engine.Forget] act on what was inspected and on
// nothing else: who releases a live claim, or forgets a record, waives the promises for that key, and
// the next request runs. [Engine.Scan] finds keys by state, age and attempt, on all nodes.
//
// # What belongs here
//
// This package owns what becomes of a request: the table of states, policies, waiting, outcomes, and
// what a request is. It must not know the protocol by which the request came, be it HTTP, gRPC or a
// queue's, nor Redis's scripts and a record's bytes, which are lock's and cache's. How it behaves in
// time and under faults is tested in integration/replay; make test-replay runs all of its tests.
//
// Its files, from the caller to Redis:
//
//	do, engine, request, result     what callers begin with, and what they get
//	call, acquire, refusal          one request, until it runs, replays or is refused
//	run, attempt, work, commit      work under a lease, what it can know, and its answer
//	policy, config                  what is decided beforehand
//	outcome, errors, trace, log     what is told
//	inspect, operate, scan          what operators see, and do about it
package replay
