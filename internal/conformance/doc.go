// Package conformance has the table of HTTP contracts, to be walked against a running server, dialect by
// dialect: each row passes, or has a difference in status, headers, or the body to the byte.
//
// It is an outside observer: it links nothing of reprise, and what it expects stands here as it
// stands in the vendors' pages (words.go). Only words that no page gives are compared with the
// adapter's golden files, which are in golden.
//
// The rows are in rows.go and states.go; each sends a number of requests that is fixed but for those
// that must meet in flight, which are sent up to five times, with more time to meet. Some rows need a
// server that is slow, dies or answers at length on demand, which examples/payments is; or one with
// other settings. A server that is nobody's to start isn't asked for what it can't do, and the closing
// line counts that.
//
// integration/conformance walks it against examples/payments, and reprise conformance against any
// server.
package conformance
