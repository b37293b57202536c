package snippet

import (
	"net/http"

	"github.com/reprise-go/reprise/httpadapter"
)

var (
	adapter  *httpadapter.Adapter
	mux      *http.ServeMux
	payments http.Handler
)
