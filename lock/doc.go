// Package lock grants one holder at a time the right to work under a Redis key, and keeps the
// value that the holder commits there.
//
//	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
//	locker, err := lock.New(client, lock.Config{})
//	if err != nil {
//		return err
//	}
//	return locker.Do(ctx, "jobs:report", func(ctx context.Context, lease *lock.Lease) error {
//		return writeReport(ctx, lease.Fence())
//	})
//
// While a [Lease] is live, nobody else on any machine holds its key. The lease renews itself
// for as long as the work takes, up to a longest hold; if it is lost, its context ends with
// cause [ErrLost] before Redis lets the key go. Every grant carries a fence, a number that grows
// from grant to grant, by which the holder's database turns stale writers away. The death of a
// holder is known: the next one is told that it is attempt 2.
//
// # Limits
//
// A lease is a promise of time, not of silence: a holder that ignores both its context and its
// fence can still act after it lost the key. Redis replication is asynchronous, so a failover can
// forget a grant. Config.Acks narrows that gap to replicas that had not confirmed; nothing built on
// Redis closes it. A key that Redis evicts is forgotten too, so Redis must run with
// maxmemory-policy noeviction, which Locker.Check looks for at start.
//
// # One key
//
// The key holds first a claim (a line of text, see script/claim.lua), then the committed value,
// and never both:
//
//	FREE       no value
//	CLAIMED    a claim, PTTL > remember: the lease is live
//	ABANDONED  a claim, PTTL <= remember: its holder failed, died or was cut off
//	DONE       a value
//
// Each transition is one script on one key, takes one round trip, and may be sent twice, as a
// client does when a reply is lost. One key also means that every transition works while its
// slot migrates, when a script on two keys of the slot fails with TRYAGAIN.
//
// Redsync decides how long a lock counts as held: by its quorum, and in time. On one deployment,
// where the scripts' answer is the quorum, it takes a lease on with the first renewal. go-redis
// carries the commands. Single, Sentinel and Cluster clients work alike.
//
// # Quorum locks
//
// [NewQuorum] makes a lock of an odd number of independent deployments, by Redsync's quorum (the
// algorithm Redlock): a key is held by whoever a majority of them grants it to, each by the script
// above. It outlives a minority that is down, hangs or lost its memory, and nobody waits for one:
// a call ends as soon as a majority has answered. A lease counts from when it was asked for, less
// a hundredth of its time for clocks that differ. Each renewal needs a majority again. Only when
// it has one, the claim is put back in deployments that lost it, unless another's is there: that
// is how one that restarted counts again.
//
// What is different:
//
//   - Nothing is committed: Commit returns [ErrNoCommit]. End a lease with Release or Abandon, which
//     succeed when a majority has done as told. What the others still hold ends with its lease, and
//     then looks like the claim of a holder that died.
//   - There is a fence for each deployment and no single one: see [Lease.Fences].
//   - Attempt is 2 or more after a holder that failed or died, but no exact count.
//   - Rivals who ask at the same time may win too few deployments each. All give back what they
//     won; TryAcquire returns ErrHeld, Acquire asks again after a random pause.
//   - Acquire always asks again and again, as where Redis has no sharded channels.
//   - With Config.Acks, each deployment counts only with its own replicas' confirmation.
//
// A deployment that restarts without its keys, or promotes a replica that lacks them, can help a
// second holder to a majority while the first still counts on it; putting the claim back only makes
// that less likely. So keep a deployment that may have lost keys out of reach until all earlier
// leases have run out, which takes one TTL, or let it write every command to disk before it answers
// (appendonly yes, appendfsync always). See "Performance, Crash Recovery and fsync" in
// https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/.
//
// # Operators
//
// [Locker.Inspect] looks at a key and changes nothing. [Locker.Act] releases or abandons a claim, or
// forgets a value, if what was inspected still stands there. An act on a live claim waives, for its
// key, the promise of one holder: that one learns at its next renewal that its lease is lost.
// [Locker.Scan] walks the keys of all nodes, also while slots move; [Locker.Nodes] says how they are.
//
// # What belongs here
//
// This package owns the claim under a key: grant, renewal, loss, fence, attempt, and a commit that
// only the holder can make. It knows values as bytes, and must not know what they mean: no request,
// no answer, no record's format. How it behaves in time and under faults is tested in
// integration/lock: make test-lock.
//
// Its files, from the scripts to the user:
//
//	claim, script, request, reply      what is under a key, and what the scripts say of it
//	server, semaphore, route           a script on its way to one deployment of Redis, and back
//	pipeliner                          scripts of many callers in one round trip
//	acked, batch                       the same with replicas' confirmation, and for many at once
//	transition                         what becomes of a claim there, in Go's terms
//	settings, findings, probe          what of it is not as it should be
//	notifier, conn                     notice when a key changes hands
//	deadline                           how long a script may take
//	mutexcall                          the seam to redsync, which counts who said yes
//	store: single, quorum, ballot      a Locker's claims, on one deployment or on several
//	lease, renewer, log                a claim in its holder's hands, renewed in time
//	waiters, acquire                   waiting for a key
//	locker, check, client              what users begin with
//	sight, inspect                     what operators see under a key, and do about it
//	nodes, layout, scan, walk          all nodes and all keys, while slots move
//	config, errors                     what they set, and what they are told
package lock
