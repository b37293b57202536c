// Package docs has no code, only tests that hold the README and the pages of docs against the repository: snippets
// compile, commands run and print what the page says, links and anchors lead somewhere, tables say what the code does,
// and the names of tests, files and make targets exist.
//
// The language of a fenced block says what becomes of it:
//
//	go      is compiled
//	sh      is run, or is in the list of what CI runs elsewhere
//	output  is how the output of the sh block before it ends
//	redis   is typed into redis-cli by an operator; a test of integration/local does the same
//	text    is only read
package docs
