package httpadapter_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
)

// acme is the dialect of an API whose errors have an envelope of their own. What it does not say
// otherwise, which keys it accepts and which answers it stores, it has from Problem.
type acme struct{ dialect.Problem }

func (acme) Marker(string) (name, value string) { return "Acme-Replayed", "yes" }

// Render has an answer for every outcome, those of later versions included: outcomes know their
// code and their status.
func (acme) Render(o dialect.Outcome, info dialect.Info) dialect.Rendering {
	text := "This request could not be made safe to retry."
	switch {
	case info.Message != "": // the operator's words go first
		text = info.Message
	case o == dialect.KeyMissing:
		text = "Send " + info.Header + ": " + info.Want + "."
	}
	body, _ := json.Marshal(struct { // a struct, whose members stand in order
		Fault string `json:"fault"`
		Text  string `json:"text"`
	}{"acme/" + o.String(), text})
	return dialect.Rendering{ContentType: "application/vnd.acme.fault+json", Body: body}
}

// A dialect of one's own embeds another and says what differs. Retry-After and the other headers
// that all dialects share are the adapter's.
func ExampleConfig_dialect() {
	engine, err := replay.New(redis.NewClient(&redis.Options{}), replay.Config{})
	if err != nil {
		panic(err)
	}
	adapter, err := httpadapter.New(engine, httpadapter.Config{
		Scope:      httpadapter.GlobalScope,
		Dialect:    acme{},
		Syntax:     dialect.Raw(36, "0-9", "a-f", "-"),
		RequireKey: true,
	})
	if err != nil {
		panic(err)
	}
	payments := adapter.Handler(http.NotFoundHandler())

	w := httptest.NewRecorder()
	payments.ServeHTTP(w, httptest.NewRequest("POST", "/payments", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"), w.Header().Get("X-Should-Retry"))
	fmt.Println(w.Body)
	// Output:
	// 400 application/vnd.acme.fault+json false
	// {"fault":"acme/missing","text":"Send Idempotency-Key: 1 to 36 characters of 0-9 a-f -."}
}
