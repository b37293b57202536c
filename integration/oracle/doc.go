// Package oracle holds reprise's parsers against other implementations of the same standards, by fuzzing: what one takes
// and the other refuses, or reads otherwise, is a fault of one of them.
package oracle
