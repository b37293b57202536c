package main

// A mutant is the library with one rule broken.
type mutant struct {
	breaks   string // the rule, told as what goes wrong
	file     string // from the root of the repository
	old, new string // the text that keeps the rule, which occurs once, and what stands there instead
}

// A trial is a mutant and the test that notices it.
type trial struct {
	mutant
	in, test string
}

// mutants are for the simulation to notice.
var mutants = []mutant{
	{"commit doesn't compare the token", "lock/script/commit.lua",
		"if not value or ours(value, ARGV[1]) then", "if true then"},
	{"commit takes its own record for another's, when its reply was lost", "lock/script/commit.lua",
		"if value == ARGV[2] then", "if false then"},
	{"renew extends a claim that isn't ours", "lock/script/renew.lua",
		"if not ours(redis.call('GET', KEYS[1]), ARGV[1]) then return 0 end", ""},
	{"renew brings a lapsed lease back", "lock/script/renew.lua",
		"if redis.call('PTTL', KEYS[1]) <= tonumber(ARGV[3]) then return 0 end", ""},
	{"begin takes its own claim for another's, when its reply was lost", "lock/script/begin.lua",
		"if ours(value, ARGV[1]) then", "if false then"},
	{"begin doesn't count the attempt that it takes over from", "lock/script/begin.lua",
		"grant(attempt + 1, tonumber(fence))", "grant(attempt, tonumber(fence))"},
	{"begin draws the fence from the clock alone", "lock/script/begin.lua",
		"math.max(t[1] * 1000000 + t[2], after + 1)", "t[1] * 1000000 + t[2]"},
	{"begin takes over from another request", "lock/script/begin.lua",
		"if fingerprint == ARGV[4] then", "if true then"},
	{"begin takes over in spite of the policy", "lock/request.go",
		"flag(!terms.LeaveAbandoned)", "flag(true)"},
	{"a lease is judged by the time of day", "lock/script/claim.lua",
		"local left = redis.call('PTTL', KEYS[1]) - remember",
		"local _, _, fence = parse(value)\n  local t = redis.call('TIME')\n  local left = redis.call('PTTL', KEYS[1]) - remember\n  if fence / 1000 + 600000 < t[1] * 1000 then left = 0 end"},
	{"release frees another's claim", "lock/script/release.lua",
		"if not ours(value, ARGV[1]) then return found(value, ARGV[2]) end", ""},
	{"a claim that is handed back forgets the attempt before it", "lock/script/release.lua",
		"if ARGV[4] == '1' and value:sub(1, 5) ~= 'L1 1 ' then", "if false then"},
	{"abandon frees the key", "lock/script/abandon.lua",
		"lapse(ARGV[3])", "redis.call('DEL', KEYS[1])"},
	{"abandon leaves the key held", "lock/script/abandon.lua",
		"lapse(ARGV[3])", ""},
	{"an operator acts on whatever stands there", "lock/script/act.lua",
		"if seen[2] ~= size or seen[4]:sub(1, #ARGV[1]) ~= ARGV[1] or seen[5] ~= ARGV[2] then return seen end", "if seen[2] == -1 then return seen end"},
	{"an operator acts on whatever has the size of what was inspected", "lock/script/act.lua",
		"if seen[2] ~= size or seen[4]:sub(1, #ARGV[1]) ~= ARGV[1] or seen[5] ~= ARGV[2] then return seen end", "if seen[2] ~= size then return seen end"},
	{"an operator acts on another owner's claim of the same attempt", "lock/script/act.lua",
		"if seen[2] ~= size or seen[4]:sub(1, #ARGV[1]) ~= ARGV[1] or seen[5] ~= ARGV[2] then return seen end", "if seen[4]:sub(1, 5) ~= ARGV[1]:sub(1, 5) then return seen end"},
	{"an operator's abandon leaves the key held", "lock/script/act.lua",
		"  lapse(ARGV[4])", ""},
	{"an operator is told that all is done when something else stands there", "lock/inspect.go",
		"return &ChangedError{Now: now}", "return nil"},
	{"work runs under a claim that too few replicas confirmed", "lock/single.go",
		"if short := s.server.unconfirmed(r); short != nil {", "if short := s.server.unconfirmed(r); false {\n\t\t_ = short"},
	{"an answer counts as safe that too few replicas confirmed", "lock/single.go",
		"return stored, s.server.unconfirmed(r)", "return stored, nil"},
	{"the client doesn't mind that its lease is another's", "lock/single.go",
		"return renewal{foreign: true, err: a.err}", "return renewal{until: time.Now().Add(g.until.Sub(g.asked))}"},
	{"a lost lease doesn't end the context", "lock/renewer.go",
		"if to == Lost {\n\t\tl.cancel(ErrLost)\n\t}", ""},
	{"a lease counts from when its grant was heard of", "lock/mutexcall.go",
		"mutex.Until().Add(-time.Since(asked))", "mutex.Until()"},
	{"a client who hangs up ends the lease", "replay/acquire.go",
		"Detached:       true,", "Detached:       false,"},
	{"in progress is answered before reused", "replay/refusal.go",
		"if err := c.compare(held.Claim.Fingerprint); err != nil {", "if err := c.compare(held.Claim.Fingerprint); false {"},
	{"a record is replayed to another request", "replay/refusal.go",
		"if err := c.compare(record.Fingerprint); err != nil {", "if err := c.compare(record.Fingerprint); false {"},
	{"work runs without a claim in spite of the policy", "replay/call.go",
		"c.req.OnStoreDown == RunUnguarded && c.neverAnswered(ctx, err)", "c.neverAnswered(ctx, err)"},
	{"the answer is given before it is stored", "replay/commit.go",
		"stored, err := c.store(ctx, r.value, retention)",
		"stored, err := lock.StoredNow, error(nil)\n\tgo c.store(ctx, r.value, retention)"},
	{"an answer that can't be stored is given in spite of the policy", "replay/commit.go",
		"if c.engine.cfg.OnCommitDown == WithholdUnstored {", "if false {"},
	{"a late finisher answers with its own", "replay/commit.go",
		"case errors.Is(err, lock.ErrLost):\n\t\treturn c.answerLate(ctx, err)", "case errors.Is(err, lock.ErrLost):\n\t\treturn c.ranResult(), nil"},
	{"a clean failure forgets the attempt before it", "replay/run.go",
		"if v == Release && c.lease.Attempt() == 1 {", "if v == Release {"},
	{"a later attempt runs without asking Reconcile", "replay/run.go",
		"if c.lease.Attempt() > 1 && c.req.OnAbandoned == AskReconcile", "if c.lease.Attempt() < 0 && c.req.OnAbandoned == AskReconcile"},
	{"the row of an effect is written outside its transaction", "effect/do.go",
		"TxOf(tx), d.name", `Tx{
		Exec: func(ctx context.Context, query string, args ...any) (int64, error) {
			r, err := d.table.db.ExecContext(ctx, query, args...)
			if err != nil {
				return 0, err
			}
			return r.RowsAffected()
		},
		QueryRow: func(ctx context.Context, query string, args ...any) Row {
			return d.table.db.QueryRowContext(ctx, query, args...)
		},
	}, d.name`},
	{"the row of an effect comes after it", "effect/do.go",
		"	entry, err := join[T]", "	d.value, err = d.fn(ctx, tx)\n\tif err != nil {\n\t\treturn err\n\t}\n\tvalue, fn := d.value, d.fn\n" +
			"\td.fn = func(context.Context, *sql.Tx) (T, error) { return value, nil }\n\tdefer func() { d.fn = fn }()\n\tentry, err := join[T]"},
	{"an effect whose function failed is committed", "effect/do.go",
		"d.table.db), tx)\n\tif err != nil {", "d.table.db), tx)\n\tif err != nil {\n\t\t_ = tx.Commit()"},
	{"a commit without an answer counts as failed", "effect/do.go",
		"d.unknown = !d.table.cfg.Dialect.rolledBack(err)", "d.unknown = false"},
	{"a commit without an answer counts as done", "effect/do.go",
		"d.unknown = !d.table.cfg.Dialect.rolledBack(err)", "if !d.table.cfg.Dialect.rolledBack(err) {\n\t\t\treturn nil\n\t\t}"},
	{"a commit without an answer is not asked for", "effect/do.go",
		"if d.remembered {", "if false {"},
	{"a commit without an answer is forgotten by the next try", "effect/do.go",
		"	conn, err := d.table.db.Conn(ctx)", "	d.unknown = false\n\tconn, err := d.table.db.Conn(ctx)"},
	{"a deadlock fails the effect", "effect/fault.go",
		`"40P01", // deadlock_detected`, ""},
	{"a connection that had broken in the pool fails the effect", "effect/do.go",
		"if errors.Is(err, driver.ErrBadConn) {", "if false {"},
	{"an effect's value is not kept", "effect/do.go",
		"if err := entry.keep(ctx, d.value); err != nil {", "if err := error(nil); err != nil {"},
	{"an effect's value of before is not returned", "effect/do.go",
		"d.value, d.result = entry.value, entry.result", "d.result = entry.result"},
	{"an effect of another request is taken for one's own", "effect/join.go",
		"if err := e.work.Match(ctx, e.row.fingerprint); err != nil {", "if err := error(nil); err != nil {"},
	{"an effect's own row is taken for an earlier attempt's", "effect/join.go",
		"own := e.row.token == token", "own := false"},
	{"any effect's row is taken for its own", "effect/join.go",
		"own := e.row.token == token", "own := true"},
	{"a row that is there doesn't keep an effect from being tried", "effect/join.go",
		"if err != nil || inserted == 1 {", "if true || inserted == 1 {"},
	{"the effects of a request are one", "effect/dialect.go",
		"	at bigint NOT NULL,\n\tPRIMARY KEY (\"key\", name)\n);", "	at bigint NOT NULL,\n\tPRIMARY KEY (\"key\")\n);"},
	{"the engine isn't told that an effect is repeated", "effect/join.go",
		"e.work.Repeated()", ""},
	{"the engine answers in spite of a refusal by the work", "replay/run.go",
		"if refused != nil && !c.engine.cfg.Shadow {", "if false {"},
	{"work without a claim has no identity", "replay/work.go",
		"	a, ok := ctx.Value(attemptKey{}).(*attemptContext)\n\tif !ok {", "	a, ok := ctx.Value(attemptKey{}).(*attemptContext)\n\tif !ok || !a.guarded() {"},
	{"a write is accepted under a smaller fence", "effect/fence.go",
		"if highest > work.Fence {", "if false {"},
	{"a fence falls back", "effect/dialect.go",
		"greatest({f}.fence, excluded.fence)", "excluded.fence"},
	{"a purge deletes rows of any age", "effect/table.go",
		"olderThan.Milliseconds()", "0"},
}

// hidden mutants break rules of how long somebody waits and of what is kept meanwhile. No history shows
// that, so each has a test that must fail.
var hidden = []trial{
	{mutant{"a grant that comes too late from a pipeline isn't handed back", "lock/flush.go",
		"go p.server.handBack(context.Background(), w.req.lease)", ""},
		"integration/lock", "TestGrantOfAPipelineThatComesTooLateIsHandedBack"},
	{mutant{"a script whose time is over holds its caller while its pipeline is on its way", "lock/pipeliner.go",
		"	w.abandoned = !w.delivered", "	p.mu.Unlock()\n\t<-w.done\n\tp.mu.Lock()\n\tw.abandoned = !w.delivered"},
		"integration/lock", "TestGrantOfAPipelineThatComesTooLateIsHandedBack"},
	{mutant{"a caller who leaves doesn't take its script out of the queue", "lock/pipeliner.go",
		"	w.queue.Remove(w.place)\n", ""},
		"integration/lock", "TestCallersWhoLeaveBeforeAPipelineGoesSendNothing"},
	{mutant{"the queue for pipelines grows without end", "lock/pipeliner.go",
		">= maxWaiting {", "< 0 {"},
		"integration/lock", "TestHungServerKeepsNoneBeyondAFullQueue"},
	{mutant{"who waits for a silent node goes on waiting", "lock/pipeliner.go",
		"min(w.patience, time.Until(deadline))", "time.Until(deadline)"},
		"integration/lock", "TestSilentNodeIsNotWaitedFor"},
	{mutant{"a round trip without a reply is taken for a sign of life", "lock/pipeliner.go",
		"if err == nil || fault.Refused", "if true || fault.Refused"},
		"integration/lock", "TestRoundTripsWithoutAReplyLeaveANodeSilent"},
	{mutant{"a renewal without an answer leaves no time for another", "lock/batch.go",
		"max(timeout/2, time.Until(b.until)/2)", "max(timeout/2, time.Until(b.until))"},
		"integration/lock", "TestOneRenewalThatIsUnheardLosesNothing"},
}
