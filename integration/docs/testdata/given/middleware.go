package snippet

import (
	"net/http"
	"net/url"

	"github.com/reprise-go/reprise/httpadapter"
)

var (
	adapter  *httpadapter.Adapter
	mux      *http.ServeMux
	payments http.Handler
	upstream *url.URL

	authenticate, limit, deadline, recovery, cors func(http.Handler) http.Handler
)
