package main

import (
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/reprise-go/reprise/httpadapter"
)

// idempotent makes a route's handler, and the middleware after it, safe to retry. Recover,
// authentication and rate limits belong before it.
//
// echo.WrapMiddleware(a.Handler) would not do: it returns the handler's error when the adapter has
// answered, stored and sent an empty 200 in its place. Here Echo's error handler answers inside,
// and its answer is what is stored.
func idempotent(a *httpadapter.Adapter) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) (err error) {
			client, request := c.Response(), c.Request()
			run := func(w http.ResponseWriter, r *http.Request) {
				if w == client { // a method, or a lack of key, that the adapter takes no part in
					err = next(c)
					return
				}
				c.SetResponse(echo.NewResponse(w, c.Logger()))
				c.SetRequest(r)
				// Echo uses c again when the request is over, and Recover may yet answer.
				defer func() {
					c.SetResponse(client)
					c.SetRequest(request)
				}()
				// An error that is answered goes no further, or it might be answered twice.
				if err := next(c); err != nil {
					c.Echo().HTTPErrorHandler(c, err)
				}
			}
			a.Handler(http.HandlerFunc(run)).ServeHTTP(client, request)
			return err
		}
	}
}
