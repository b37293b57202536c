// Package chaos breaks a real Redis Cluster, and the processes of an API over it, while clients send
// load, and counts what becomes of the promise.
//
// The machines are real processes: this test binary, run again (api_test.go). Each reaches Redis
// through a proxy of its own that can cut, delay and reset (proxy_test.go). The effect under test is
// an entry in a ledger outside Redis (ledger_test.go), so a double run is seen even when Redis
// forgets; or, in mode effects, a row that package effect books in PostgreSQL (booking_test.go), so
// that a double run is seen not to matter. Clients retry as good clients do, until each key has its
// answer (load_test.go). What is counted, and what counts as a fault, stands in count_test.go; each
// test adds rows to the tables that are printed at the end (report_test.go).
package chaos
