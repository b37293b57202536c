// Package cli has the commands of reprise, each in a file of its name.
//
// A command asks first and shows what it has found; what acts, acts on nothing but what was shown. It
// writes to a [screen.Screen], or with --json the same facts as JSON, and returns an error, which says
// by what the program exits.
package cli
