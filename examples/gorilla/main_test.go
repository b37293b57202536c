package main

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/gorilla/mux"

	"github.com/reprise-go/reprise/examples/internal/routertest"
	"github.com/reprise-go/reprise/examples/internal/shop"
	"github.com/reprise-go/reprise/httpadapter"
)

func TestPayments(t *testing.T) {
	routertest.Walk(t, func(s *shop.Shop) http.Handler { return routes(s) })
}

func TestCorners(t *testing.T) {
	routertest.Probe(t, func(a *httpadapter.Adapter, stage *routertest.Stage) http.Handler {
		r := mux.NewRouter()
		r.Use(recovered, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), outerKey{}, "outer")))
			})
		})
		probes := routertest.Handlers(stage)
		probes["outer"] = func(w http.ResponseWriter, r *http.Request) {
			stage.Begin()
			io.WriteString(w, mux.Vars(r)["name"]+" "+r.Context().Value(outerKey{}).(string))
		}
		probe := func(w http.ResponseWriter, r *http.Request) { probes[mux.Vars(r)["name"]](w, r) }
		r.HandleFunc("/plain/{name}", probe)
		r.Handle("/keyed/{name}", a.Handler(http.HandlerFunc(probe)))
		return r
	})
}

type outerKey struct{}
