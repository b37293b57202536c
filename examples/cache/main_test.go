package main

func Example() {
	main()
	// Output:
	// before Put, found: false
	// after Put, found: true {Pair:GBPEUR Rate:1.17}
	// expires in about 10m0s
	// deleted: true, found: false
}
