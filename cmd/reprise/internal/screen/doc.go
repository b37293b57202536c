// Package screen writes for people: on a terminal in colour, and everywhere in lines that fit into its
// width. Nothing that it writes can drive a terminal, whoever it came from.
package screen
