// Package board is a web page for an operator: what is in flight, abandoned and old, how the nodes are,
// and what stands under one key, with the acts of [replay.Engine] behind a confirmation.
//
// A [Board] is an [http.Handler]. Pages are rendered here and work without a script; with one, the
// figures come by server-sent events. One walk of the keys feeds all who watch, and nothing is asked of
// Redis while nobody does. Nothing is done by GET, and nothing to what has not been shown: a form carries
// [replay.Entry.Mark].
//
// # What belongs here
//
// What is shown, and to whom. What an act does and how it is told to the log is given in [Config] by the
// command, which has the same for the terminal.
package board
