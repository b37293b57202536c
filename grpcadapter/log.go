package grpcadapter

import "github.com/reprise-go/reprise/internal/ratelog"

// What is logged of calls, each kind at most once a minute. docs/failures.md says what to do about
// each.
var (
	logNested  = ratelog.Warn("grpcadapter.nested", "grpcadapter: calls pass an adapter inside another; the outer one's settings count")
	logRecord  = ratelog.Error("grpcadapter.record", "grpcadapter: a record can't be given")
	logAnswer  = ratelog.Error("grpcadapter.answer", "grpcadapter: an answer can't be kept")
	logUntold  = ratelog.Error("grpcadapter.untold", "grpcadapter: a call is answered INTERNAL")
	logUnknown = ratelog.Error("grpcadapter.unknown", "grpcadapter: a call is answered INTERNAL")
)
