package routertest

import (
	"io"
	"net/http"
)

// Handlers are the probes of a [Mount] for routers that take an http.HandlerFunc, but for "outer",
// which asks the router.
func Handlers(stage *Stage) map[string]http.HandlerFunc {
	probes := map[string]http.HandlerFunc{
		"nothing":    func(http.ResponseWriter, *http.Request) {},
		"status":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) },
		"no-content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Vary", "A")
			w.Header().Add("Vary", "B")
			w.Header().Set("X-Probe", "1")
			w.Header().Set("Content-Type", "text/csv")
			io.WriteString(w, "1,2\n")
		},
		"late": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, "in time")
			w.Header().Set("X-Late", "1")
			w.WriteHeader(http.StatusAccepted)
		},
		"error": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no coffee", http.StatusTeapot)
		},
		"failure": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no tea", http.StatusServiceUnavailable)
		},
		"short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "123")
		},
	}
	counted := map[string]http.HandlerFunc{
		"stream": func(w http.ResponseWriter, _ *http.Request) {
			run := stage.Begin()
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: 1\n\n")
			http.NewResponseController(w).Flush()
			stage.Wait(run)
			io.WriteString(w, "data: 2\n\n")
			http.NewResponseController(w).Flush()
			io.WriteString(w, "data: 3\n\n")
		},
	}
	for name, probe := range probes {
		counted[name] = func(w http.ResponseWriter, r *http.Request) {
			stage.Begin()
			probe(w, r)
		}
	}
	return counted
}
