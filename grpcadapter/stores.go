package grpcadapter

import "google.golang.org/grpc/codes"

// A StorePolicy is which answers are stored, by their code. Of what is not stored, the codes that
// say that the call was declined release the key, and the others abandon it: see the package's
// table.
type StorePolicy string

const (
	StoreFinal   StorePolicy = "final"   // OK and the errors that the same call would meet again
	StoreSuccess StorePolicy = "success" // OK
	StoreAll     StorePolicy = "all"     // every answer
)

// storePolicies is the one place that says which policies there are, and what each stores.
var storePolicies = []struct {
	policy StorePolicy
	stores func(codes.Code) bool
}{
	{StoreFinal, func(code codes.Code) bool { return fateOf(code) == final }},
	{StoreSuccess, func(code codes.Code) bool { return code == codes.OK }},
	{StoreAll, func(codes.Code) bool { return true }},
}

// Words returns every StorePolicy.
func (StorePolicy) Words() []StorePolicy {
	var all []StorePolicy
	for _, row := range storePolicies {
		all = append(all, row.policy)
	}
	return all
}

// stores reports whether p stores an answer.
func (p StorePolicy) stores(code codes.Code) bool {
	for _, row := range storePolicies {
		if row.policy == p {
			return row.stores(code)
		}
	}
	return false // Validate accepts none of these
}
