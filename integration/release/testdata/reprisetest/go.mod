module example.com/reprisetest

go 1.26.0
