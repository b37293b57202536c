package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The fake clock makes the output independent of how busy the machine is.
func TestOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		if err := run(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		const want = `a machine begins
it ends, and still holds the lock
a machine begins
it ends, and still holds the lock
a machine begins
it ends, and still holds the lock
3 reports
the first machine writes late: refused, a later one has written
`
		if out.String() != want {
			t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
		}
		time.Sleep(time.Hour) // of the fake clock, so that idle goroutines end
	})
}
