package httpadapter

// The header fields by which the adapter itself says what an answer is. Refusals have those of package refusal.
const (
	// storedHeader marks an answer that a retry will not get (false), or that a failover may forget (unconfirmed).
	storedHeader = "Idempotency-Stored"

	// shadowHeader says in shadow mode what would have been answered in place of this answer: a replay.Outcome, or the
	// code of a dialect.Outcome that comes before the engine is asked.
	shadowHeader = "Idempotency-Shadow"
)

// ownHeaders has all of them, for no record keeps any.
var ownHeaders = []string{storedHeader, shadowHeader}
