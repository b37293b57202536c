package main

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/reprise-go/reprise/examples/internal/routertest"
	"github.com/reprise-go/reprise/examples/internal/shop"
	"github.com/reprise-go/reprise/httpadapter"
)

func TestPayments(t *testing.T) {
	routertest.Walk(t, func(s *shop.Shop) http.Handler { return routes(s) })
}

func TestCorners(t *testing.T) {
	routertest.Probe(t, func(a *httpadapter.Adapter, stage *routertest.Stage) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.Recoverer, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), outerKey{}, "outer")))
			})
		})
		probes := routertest.Handlers(stage)
		probes["outer"] = func(w http.ResponseWriter, r *http.Request) {
			stage.Begin()
			io.WriteString(w, chi.RouteContext(r.Context()).URLParam("name")+" "+r.Context().Value(outerKey{}).(string))
		}
		probe := func(w http.ResponseWriter, r *http.Request) { probes[chi.URLParam(r, "name")](w, r) }
		r.Post("/plain/{name}", probe)
		r.With(a.Handler).HandleFunc("/keyed/{name}", probe)
		return r
	})
}

type outerKey struct{}
