// Package lock grants one holder at a time the right to work under a Redis key, and keeps the
// value that the holder commits there.
//
// While a [Lease] is live, nobody else on any machine holds its key. The lease renews itself
// for as long as the work takes, up to a longest hold; if it is lost, its context ends with
// cause [ErrLost] before Redis lets the key go. Every grant carries a fence, a number that grows
// from grant to grant, for the holder's database to turn stale writers away. A holder that died
// is known: the next one is told that it is attempt 2.
//
// # Limits
//
// A lease is a promise of time, not of silence: a holder that ignores both its context and its
// fence can still act after it lost the key. Redis replication is asynchronous, so a failover can
// forget a grant; nothing built on Redis closes that gap. A key that Redis evicts is forgotten
// too, so Redis must run with maxmemory-policy noeviction.
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
// Redsync drives acquiring, extending and releasing; go-redis carries the commands. Single,
// Sentinel and Cluster clients work alike.
package lock
