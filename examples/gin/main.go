// Command gin is the payments API on gin, safe to retry:
//
//	go run ./examples/gin [-addr HOST:PORT]
//	curl -iw '\n' http://127.0.0.1:8080/payments/bob -H 'Authorization: Bearer ann' -H 'Idempotency-Key: order-1' --json '{"amount":1999}'
//	curl -w '\n' http://127.0.0.1:8080/payments/bob -H 'Authorization: Bearer ann'
//
// The first curl, run again, is replayed; the second tells what was paid. A gin handler is no http.Handler: idempotent.go
// is the bridge, made to be copied.
package main

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/reprise-go/reprise/examples/internal/shop"
)

func main() {
	gin.SetMode(gin.ReleaseMode)
	shop.Main(func(s *shop.Shop) http.Handler { return routes(s) })
}

func routes(s *shop.Shop) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), authenticate) // outside: neither a panic nor a 401 is an answer to keep

	r.POST("/payments/:account", idempotent(s.Payments), order(s.Pay))
	r.POST("/payments/:account/refunds", idempotent(s.Refunds), order(s.Refund))
	r.GET("/payments/:account", func(c *gin.Context) {
		c.JSON(http.StatusOK, s.List(c.GetString("account"), c.Param("account")))
	})
	return r
}

// authenticate tells gin's context for the handlers, and the request's for the adapter's scope.
func authenticate(c *gin.Context) {
	account, err := shop.Authenticate(c.Request)
	if err != nil {
		c.AbortWithStatusJSON(http.StatusUnauthorized, gin.H{"error": err.Error()})
		return
	}
	c.Set("account", account)
	c.Request = shop.WithAccount(c.Request, account)
}

func order(do func(context.Context, shop.Order) (shop.Payment, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		var order shop.Order
		if err := c.ShouldBindJSON(&order); err != nil {
			c.AbortWithStatusJSON(http.StatusBadRequest, gin.H{"error": err.Error()})
			return
		}
		order.From, order.To = c.GetString("account"), c.Param("account")
		p, err := do(c.Request.Context(), order) // the context of the work: it outlives the client, but no lost lease
		if err != nil {
			c.AbortWithStatusJSON(http.StatusUnprocessableEntity, gin.H{"error": err.Error()})
			return
		}
		c.Header("Location", "/payments/"+order.To+"#"+p.ID)
		c.JSON(http.StatusCreated, p)
	}
}
