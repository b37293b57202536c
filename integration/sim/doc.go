// Package sim runs fleets of engines through bad days that a seed makes up, and checks that every
// promise of the library held.
//
// A [Schedule] is all that a seed decides: the policies, who asks for what and when, how long work
// takes and how it ends, which processes die or stop and where, what befalls each command on the
// network. A world plays it on the real code in one testing/synctest bubble. A [History] is what came of it:
// what clients were told, when work ran, and when each command reached Redis. [Check] holds it
// against the promises one by one, and against a model of the key's four states.
//
// One schedule in five has [Effects]: a database beside Redis, of package minisql, in which the
// work has its effects by package effect. There Redis forgets more than elsewhere, and what effect
// promises must hold all the same.
//
// On as many there is an operator, who looks at keys, thinks, and acts on what was seen (a [Visit]).
//
// # Replays
//
// A seed gives the same history each time. The scheduler of goroutines isn't deterministic, but
// what happens at distinct instants of the bubble's time happens in their order; so each command is sent after a
// pause that is its own to the nanosecond, and each draw belongs to the request or the trip that it
// is for, not to whoever comes first. The library's own chance is crypto/rand's, which
// testing/cryptotest seeds.
//
// # What it does not show
//
// A paused process hears and says nothing, and its work stands still; but its timers fire in time,
// where those of a stopped process fire when it is resumed. So here a context always ends in time, and what shows is
// the work that goes on regardless. Clocks tick at one rate and a machine's wall clock can't be set: only the
// time of day that Redis tells steps, by which fences are drawn, and not the clock by which its keys expire.
// Memory limits and replication are for the real cluster; a failover, on days with Effects, is a
// Redis that goes back to what it was.
package sim
