package main

func Example() {
	main()
	// Output:
	// m1: {Label:books no. 1 Attempt:1}; acknowledged
	// m1: {Label:books no. 1 Attempt:1} as before; acknowledged
	// m2: paper jam; back to the queue
	// m2: {Label:shoes no. 2 Attempt:2}; acknowledged
	// m1: {Label:books no. 1 Attempt:1} as before; acknowledged
	// labels printed: 2
}
