package snippet

import (
	"context"
	"database/sql"
	"net/http"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/replay"
)

type (
	Order   struct{}
	Receipt struct{}
)

var (
	ctx    context.Context
	r      *http.Request
	db     *sql.DB
	tx     *sql.Tx
	engine *replay.Engine
	table  *effect.Table
	order  Order
	client http.Client
	url    string
	body   []byte
)

func book[T any](context.Context, T, Order) (Receipt, error) { return Receipt{}, nil }
