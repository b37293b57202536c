package conformance

// A Setting is what a row needs of the server beside its dialect, in words and as variables.
type Setting struct {
	Needs   string
	Environ []string
	Doomed  bool // its Redis is there when the server starts, and then no more
}

// Usual is no setting at all.
var Usual = &Setting{}

var (
	refusing = &Setting{
		Needs:   "REPRISE_REPLAY_ON_ABANDONED=refuse",
		Environ: []string{"REPRISE_REPLAY_ON_ABANDONED=refuse"},
	}

	// shortLease: work can last longer than its lease, and a duplicate waits for its turn.
	shortLease = &Setting{
		Needs:   "REPRISE_LOCK_MAX_HOLD=1s and REPRISE_REPLAY_WAIT=1m",
		Environ: []string{"REPRISE_LOCK_TTL=1s", "REPRISE_LOCK_TIMEOUT=500ms", "REPRISE_LOCK_MAX_HOLD=1s", "REPRISE_REPLAY_WAIT=1m"},
	}

	withoutStore = &Setting{
		Needs:   "no Redis",
		Environ: []string{"REPRISE_LOCK_TIMEOUT=500ms"},
		Doomed:  true,
	}
)
