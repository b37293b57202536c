package effect

import "errors"

// Why an effect was not done, or why nobody knows, for errors.Is. Beside these there are the
// refusals of replay.Work.Match, replay.ErrReused above all, the errors of package cache for a
// value that can't be kept or read, and those of the database and of the caller's own function, as
// they are.
var (
	// ErrNoKey: the context is not that of work under a key, so that nobody could tell whether the
	// effect has been done. Nothing was done. See Config.OnNoKey.
	ErrNoKey = errors.New("effect: no work under a key in the context")

	// ErrUnguarded: [Fence] needs the fence of a claim, and the work has no claim, as Redis is
	// down.
	ErrUnguarded = errors.New("effect: no claim, and so no fence")

	// ErrCommitUnknown: the answer to a COMMIT was lost, and the database could not be asked again
	// in time. The effect has been done once or not at all. It wraps what kept the database from
	// answering. Whoever asks under the same key finds out.
	ErrCommitUnknown = errors.New("effect: unknown whether the transaction was committed")

	// ErrNested: [Do] was called by the function of another Do on the same database. Its
	// transaction would not be part of that one's, and could wait for it for ever. Nothing was
	// done. For a second effect in the same transaction, use [Join].
	ErrNested = errors.New("effect: Do within Do")

	// ErrNotKept: the effect has been done, by a transaction that was joined and then committed
	// without [Entry.Keep], so that there is no value to return.
	ErrNotKept = errors.New("effect: done before, and its value was not kept")
)
