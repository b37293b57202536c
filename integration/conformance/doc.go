// Package conformance walks the table of HTTP contracts of internal/conformance against a running
// server, dialect by dialect, and tells for each row that it passes, or the difference.
//
//	go test ./integration/conformance                           # examples/payments, in all dialects
//	make conformance URL=http://127.0.0.1:8080 DIALECT=stripe   # any server
//	REPRISE_REDIS_URL=redis://127.0.0.1:6379 make conformance   # examples/payments, on that Redis
//
// Without -url it starts examples/payments as programs of its own, three replicas each, and sends
// every request to another replica than the last (server_test.go). Their Redis is inside of them, or the
// one that REPRISE_REDIS_URL names, in which nothing stays for more than an hour.
package conformance
