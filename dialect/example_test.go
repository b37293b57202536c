package dialect_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/reprise-go/reprise/dialect"
)

// Lenient accepts a key with the quotes of the standard or without, Strict only with them.
func ExampleKeySyntax_Parse() {
	for _, value := range []string{`order-1`, `"order-1"`, `order 1`} {
		h := http.Header{}
		h.Set(dialect.KeyHeader, value)
		lenient, err := dialect.Lenient.Parse(h.Values(dialect.KeyHeader))
		fmt.Printf("%s: lenient %q, %v", value, lenient, err == nil)
		strict, err := dialect.Strict.Parse(h.Values(dialect.KeyHeader))
		fmt.Printf("; strict %q, %v\n", strict, err == nil)
	}
	// Output:
	// order-1: lenient "order-1", true; strict "", false
	// "order-1": lenient "order-1", true; strict "order-1", true
	// order 1: lenient "", false; strict "", false
}

// The error says what is wrong and what is accepted, and never quotes the key.
func ExampleKeyError() {
	uuids := dialect.Raw(36, "0-9", "a-f", "-")
	_, err := uuids.Parse([]string{"Not a UUID"})
	fmt.Println(err)
	if e, ok := errors.AsType[*dialect.KeyError](err); ok {
		fmt.Println(e.Outcome, e.Outcome.Status())
	}
	// Output:
	// dialect: key is malformed: want 1 to 36 characters of 0-9 a-f -
	// invalid 400
}

func ExampleParseOutcome() {
	o := dialect.ParseOutcome("in-progress")
	fmt.Println(o == dialect.InProgress, o.Status(), "retryable:", o.Retryable())
	// Output: true 409 retryable: true
}

func ExampleRecognise() {
	body := `{"error":{"code":"idempotency_key_in_use","type":"invalid_request_error"}}`
	fmt.Println(dialect.Recognise(409, "application/json", []byte(body)))
	// Output: in-progress
}

// A shopDialect is the default dialect with an error envelope and a marker of its own.
type shopDialect struct{ dialect.Problem }

func (shopDialect) Marker(key string) (name, value string) { return "Shop-Replayed", "true" }

func (d shopDialect) Render(o dialect.Outcome, info dialect.Info) dialect.Rendering {
	if o == dialect.ReplayHidden { // must not tell of keys
		return d.Problem.Render(o, info)
	}
	body, err := json.Marshal(map[string]any{"error": o.String(), "retry": o.Retryable()})
	if err != nil {
		panic(err) // a map of a string and a boolean always encodes
	}
	return dialect.Rendering{ContentType: "application/json", Body: body}
}

// A dialect of your own embeds another one, and overrides what differs. It is set as
// httpadapter.Config.Dialect.
func ExampleDialect() {
	var d dialect.Dialect = shopDialect{}
	answer := d.Render(dialect.Reused, dialect.Info{})
	fmt.Println(string(answer.Body))
	fmt.Println(d.Stores(http.StatusCreated), d.Stores(http.StatusServiceUnavailable))
	// Output:
	// {"error":"reused","retry":false}
	// true false
}
