// Package conformance walks the table of HTTP contracts against a running server, dialect by dialect,
// and tells for each row that it passes, or the difference: status, headers, and the body to the byte.
//
//	go test ./integration/conformance                           # examples/payments, in all dialects
//	make conformance URL=http://127.0.0.1:8080 DIALECT=stripe   # any server
//	REPRISE_REDIS_URL=redis://127.0.0.1:6379 make conformance   # examples/payments, on that Redis
//
// It is an outside observer: it links nothing of reprise, and what it expects stands here as it
// stands in the vendors' pages (words_test.go). Only words that no page gives are compared with the
// adapter's golden files.
//
// Without -url it starts examples/payments as programs of its own, three replicas each, and sends
// every request to another replica than the last (server_test.go). Their Redis is inside of them, or the
// one that REPRISE_REDIS_URL names, in which nothing stays for more than an hour. Some rows need a server that is
// slow, dies or answers at length on demand, which examples/payments is; or one with other settings. A
// server given by -url isn't asked for what it can't do, and the closing line counts that.
//
// The rows are in rows_test.go and states_test.go; each sends a number of requests that is fixed but
// for those that must meet in flight, which are sent up to five times, with more time to meet.
package conformance
