package httpadapter

import (
	"testing"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/config/configtest"
)

func TestStorePolicies(t *testing.T) {
	configtest.Words[StorePolicy](t)
	for _, tc := range []struct {
		policy StorePolicy
		in     dialect.Dialect
		stored map[int]bool
	}{
		{StoreAsDialect, dialect.Problem{}, map[int]bool{200: true, 302: true, 401: false, 404: true, 409: false, 422: true, 500: false}},
		{StoreAsDialect, dialect.Stripe{}, map[int]bool{200: true, 302: true, 401: true, 404: true, 409: true, 422: true, 500: true}},
		{StoreFinal, dialect.Stripe{}, map[int]bool{200: true, 302: true, 401: false, 404: true, 409: false, 422: true, 500: false}},
		{StoreSuccess, dialect.Stripe{}, map[int]bool{200: true, 299: true, 302: false, 404: false, 422: false, 500: false}},
		{StoreNon5xx, dialect.Stripe{}, map[int]bool{200: true, 302: true, 401: true, 409: true, 429: true, 499: true, 500: false, 503: false}},
		{StoreAll, dialect.Problem{}, map[int]bool{200: true, 302: true, 401: true, 404: true, 409: true, 422: true, 500: true, 599: true}},
	} {
		for status, want := range tc.stored {
			if got := tc.policy.stores(tc.in, status); got != want {
				t.Errorf("%s in %T, %d: stored is %v, want %v", tc.policy, tc.in, status, got, want)
			}
		}
	}
}
