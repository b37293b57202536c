// Command gin is the payments API on gin, safe to retry:
//
//	go run ./examples/gin [-addr HOST:PORT]
//	curl -iw '\n' http://127.0.0.1:8080/payments/bob -H 'Authorization: Bearer ann' -H 'Idempotency-Key: order-1' --json '{"amount":1999}'
//	curl -w '\n' http://127.0.0.1:8080/payments/bob -H 'Authorization: Bearer ann'
//
// Run the first curl twice: the second answer is a replay. The second curl lists what was paid. A
// gin handler is no http.Handler: idempotent.go is the bridge, made to be copied.
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
	r.Use(gin.Recovery(), authenticate) // outside: panics and 401s are not stored

	r.POST("/payments/:account", idempotent(s.Payments), order(s.Pay))
	r.POST("/payments/:account/refunds", idempotent(s.Refunds), order(s.Refund))
	r.GET("/payments/:account", func(c *gin.Context) {
		c.JSON(http.StatusOK, s.List(c.GetString("account"), c.Param("account")))
	})
	return r
}

// authenticate puts the account into gin's context, for the handlers, and into the request's
// context, for the adapter's scope.
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
		p, err := do(c.Request.Context(), order) // it ends with a lost lease, not with the client
		if err != nil {
			c.AbortWithStatusJSON(http.StatusUnprocessableEntity, gin.H{"error": err.Error()})
			return
		}
		c.Header("Location", "/payments/"+order.To+"#"+p.ID)
		c.JSON(http.StatusCreated, p)
	}
}
