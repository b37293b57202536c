// Command echo is the payments API on Echo, safe to retry:
//
//	go run ./examples/echo [-addr HOST:PORT]
//	curl -iw '\n' http://127.0.0.1:8080/payments/bob -H 'Authorization: Bearer ann' -H 'Idempotency-Key: order-1' --json '{"amount":1999}'
//	curl -w '\n' http://127.0.0.1:8080/payments/bob -H 'Authorization: Bearer ann'
//
// Run the first curl twice: the second answer is a replay. The second curl lists what was paid. An
// Echo handler is no http.Handler: idempotent.go is the bridge, made to be copied.
package main

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/reprise-go/reprise/examples/internal/shop"
)

func main() { shop.Main(func(s *shop.Shop) http.Handler { return routes(s) }) }

func routes(s *shop.Shop) *echo.Echo {
	e := echo.New()
	e.Use(middleware.Recover(), authenticate) // outside: panics and 401s are not stored

	e.POST("/payments/:account", order(s.Pay), idempotent(s.Payments))
	e.POST("/payments/:account/refunds", order(s.Refund), idempotent(s.Refunds))
	e.GET("/payments/:account", func(c *echo.Context) error {
		return c.JSON(http.StatusOK, s.List(account(c), c.Param("account")))
	})
	return e
}

// authenticate puts the account into Echo's context, for the handlers, and into the request's
// context, for the adapter's scope.
func authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		account, err := shop.Authenticate(c.Request())
		if err != nil {
			return echo.NewHTTPError(http.StatusUnauthorized, err.Error())
		}
		c.Set("account", account)
		c.SetRequest(shop.WithAccount(c.Request(), account))
		return next(c)
	}
}

func account(c *echo.Context) string {
	account, _ := c.Get("account").(string)
	return account
}

func order(do func(context.Context, shop.Order) (shop.Payment, error)) echo.HandlerFunc {
	return func(c *echo.Context) error {
		var order shop.Order
		if err := c.Bind(&order); err != nil {
			return err
		}
		order.From, order.To = account(c), c.Param("account")
		p, err := do(c.Request().Context(), order) // it ends with a lost lease, not with the client
		if err != nil {
			return echo.NewHTTPError(http.StatusUnprocessableEntity, err.Error())
		}
		c.Response().Header().Set(echo.HeaderLocation, "/payments/"+order.To+"#"+p.ID)
		return c.JSON(http.StatusCreated, p)
	}
}
