// Package minisql is a small transactional SQL database for a testing/synctest bubble: what a user of
// the library has beside Redis, on the bubble's clock, over a network that a test decides on.
//
// It is reached through database/sql: [Server.Open] returns a pool of one process, whose [Link] may
// stop, vanish and lose. It reads as much of PostgreSQL's SQL as effect and a ledger need: CREATE
// TABLE, INSERT with ON CONFLICT, SELECT, UPDATE and DELETE of one table, conditions joined by AND.
//
// # What it promises
//
// As PostgreSQL does in READ COMMITTED: a transaction reads what was committed when the statement
// began, and what it has written itself. A row that it has written or inserted is locked until it
// ends, and another that would write the same primary key waits for that, first come, first served;
// then it sees what was decided. A circle of waiting is a deadlock, of which the last to come is the
// victim. After an error of the server's, nothing of the transaction is left and it only rolls back.
// A connection that ends takes its open transaction along, once the server notices.
//
// # In a bubble
//
// Whoever waits waits for a channel, and never while it holds a mutex: time would stand still. For
// the same reason every call but Commit, which database/sql gives no context, returns at once when
// its context ends. The connection is broken then, as with PostgreSQL's drivers.
package minisql
