// Package effect makes an effect in the user's own SQL database happen once for each request under
// a key: whatever dies, pauses or loses its lease, and also if Redis forgets everything, or is down
// and the API fails open. Redis can forget. The database that has the effect does not: the effect
// and one row that remembers it are one transaction.
//
//	table, err := effect.New(db, effect.Config{Dialect: effect.PostgreSQL}) // one for the whole program
//	…
//	receipt, _, err := effect.Do(ctx, table, "charge", // in a handler: ctx is its request's
//		func(ctx context.Context, tx *sql.Tx) (Receipt, error) {
//			return book(ctx, tx, order)
//		})
//	if err != nil {
//		… // 500; after replay.ErrReused the client gets 422 whatever is written here
//	}
//	… // write the answer from receipt
//
// [Do] is the whole way; [Join] is for those who begin their transactions themselves, with pgx,
// GORM, sqlx or ent. [Fence] is for effects that are not once per key.
//
//	begin → insert the row (waits for an open transaction that has it)
//	    ├─ inserted ────→ the effect → its value into the row → commit
//	    └─ there already → the same fingerprint: its value · another's: replay.ErrReused
//
// # Promises
//
//   - Of all transactions of one request and name, at most one is committed.
//   - Every later attempt gets the value of that one, as package cache brings it back: what it says
//     under Values, of unexported fields and the zones of times, goes for this.
//   - A request of another fingerprint never gets the value: it is refused with [replay.ErrReused],
//     through the adapters 422, whatever the handler answers.
//   - If Do fails, its transaction was rolled back; only after [ErrCommitUnknown] nobody knows.
//   - An answer that comes of an earlier attempt's effect says so: [replay.Result.Repeated], and
//     the replay marker over HTTP and gRPC.
//
// What work it is, is in the context: [replay.WorkFrom]. The row has the digest of scope and key,
// and the name of the effect.
//
// # Limits
//
// Only what is done on the transaction is done once. Other services take a derived key
// ([replay.DeriveKey]); docs/effects.md tells which tool is for what. The row is kept for
// Config.Retention at least: after [Table.Purge] the effect is forgotten, and Redis's record with
// it. A client that uses its key again after that makes a new request. What a replica of the
// database lacks after a failover that loses commits, reprise lacks too.
//
// A process that hangs with its transaction open keeps other attempts waiting until the database
// ends its session: set idle_in_transaction_session_timeout in PostgreSQL, and wait_timeout in
// MySQL.
//
// # What belongs here
//
// This package owns the row: its table, its place in the transaction, what becomes of it. It knows
// database/sql and no driver, and of the request only what replay.Work tells. How it behaves on
// real databases is tested in integration/effect, and in integration/sim; make test-effect runs the
// tests of both folders.
package effect
