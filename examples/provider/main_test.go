package main

import (
	"os"
	"testing"
)

// TestMain makes the test binary the worker, too: the program starts itself.
func TestMain(m *testing.M) {
	if _, ok := os.LookupEnv(redisVariable); ok {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func Example() {
	main()
	// Output:
	// the other company charged ch_1
	// killed before it could book
	// the other company had charged ch_1
	// attempt 2: ch_1 is booked as 1
	// from the record: ch_1 is booked as 1
	// Redis has forgotten everything
	// the other company had charged ch_1
	// attempt 1, from the ledger: ch_1 is booked as 1
	// charges by the other company: 1
}
