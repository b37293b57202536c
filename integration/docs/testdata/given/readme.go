package snippet

import (
	"net/http"

	"github.com/redis/go-redis/v9"
)

var (
	client   redis.UniversalClient
	mux      *http.ServeMux
	payments http.Handler
)
