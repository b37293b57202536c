// Package reprise runs the program of cmd/reprise as people do, against a real cluster of this machine:
// what it prints, what it exits with, on a terminal, in a pipe, and on bad days.
package reprise
