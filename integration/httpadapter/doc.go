// Package httpadapter has the tests of how package httpadapter of reprise behaves in time and under
// faults: in bubbles of fake time, over an embedded Redis and a network of pipes.
package httpadapter
