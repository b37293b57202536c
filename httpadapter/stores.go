package httpadapter

import "github.com/reprise-go/reprise/dialect"

// A StorePolicy is which answers are stored, by their status.
type StorePolicy string

const (
	StoreAsDialect StorePolicy = "dialect"
	StoreFinal     StorePolicy = "final"    // 2xx, 3xx, 4xx except 401, 403, 408, 409, 421, 423, 425 and 429
	StoreSuccess   StorePolicy = "success"  // 2xx
	StoreNon5xx    StorePolicy = "none-5xx" // below 500; the word as in the settings
	StoreAll       StorePolicy = "all"      // 5xx included
)

// storePolicies is the one place that says which policies there are, and what each stores.
var storePolicies = []struct {
	policy StorePolicy
	stores func(dialect.Dialect, int) bool
}{
	{StoreAsDialect, dialect.Dialect.Stores},
	{StoreFinal, func(_ dialect.Dialect, status int) bool { return dialect.IsFinal(status) }},
	{StoreSuccess, func(_ dialect.Dialect, status int) bool { return status < 300 }},
	{StoreNon5xx, func(_ dialect.Dialect, status int) bool { return status < 500 }},
	{StoreAll, func(dialect.Dialect, int) bool { return true }},
}

// Words returns every StorePolicy.
func (StorePolicy) Words() []StorePolicy {
	var all []StorePolicy
	for _, row := range storePolicies {
		all = append(all, row.policy)
	}
	return all
}

// stores reports whether p stores an answer with a status of 200 or more.
func (p StorePolicy) stores(d dialect.Dialect, status int) bool {
	for _, row := range storePolicies {
		if row.policy == p {
			return row.stores(d, status)
		}
	}
	return false // Validate accepts none of these
}
