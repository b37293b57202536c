// Package replay has the tests of how package replay of reprise behaves in time and under faults:
// in bubbles of fake time, over an embedded Redis.
package replay
