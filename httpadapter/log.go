package httpadapter

import "github.com/reprise-go/reprise/internal/ratelog"

// What is logged of requests, each kind at most once a minute. docs/failures.md says what to do about
// each.
var (
	logNested  = ratelog.Warn("httpadapter.nested", "httpadapter: requests pass an adapter inside another; the outer one's settings count")
	logRecord  = ratelog.Error("httpadapter.record", "httpadapter: a record can't be given")
	logUnknown = ratelog.Error("httpadapter.unknown", "httpadapter: a request is answered 500")
)
