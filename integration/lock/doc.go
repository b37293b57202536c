// Package lock has the tests of how package lock of reprise behaves in time and under faults: in
// bubbles of fake time, over an embedded Redis.
package lock
