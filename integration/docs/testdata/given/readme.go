package snippet

import (
	"context"
	"database/sql"
	"net/http"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/effect"
)

type (
	Order   struct{}
	Receipt struct{}
)

var (
	client   redis.UniversalClient
	mux      *http.ServeMux
	payments http.Handler
	r        *http.Request
	table    *effect.Table
	order    Order
)

func book(context.Context, *sql.Tx, Order) (Receipt, error) { return Receipt{}, nil }
