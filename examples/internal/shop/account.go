package shop

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// ErrUnknownCaller is what a request without a token is refused for, with 401.
var ErrUnknownCaller = errors.New("say who you are: Authorization: Bearer NAME")

// Authenticate returns the account that a request is made for. Here the token is the account's
// name; an API looks it up.
func Authenticate(r *http.Request) (account string, err error) {
	account, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || account == "" {
		return "", ErrUnknownCaller
	}
	return account, nil
}

type accountKey struct{}

// WithAccount returns r as a request of account. The account goes where all routers and the adapter
// can find it, which is the request's context: what a router keeps in a context of its own, the
// adapter does not see.
func WithAccount(r *http.Request, account string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), accountKey{}, account))
}

// Account returns the account of a request, or "" if WithAccount has not set one.
func Account(r *http.Request) string {
	account, _ := r.Context().Value(accountKey{}).(string)
	return account
}

// Scope gives each account keys of its own: it is the adapters' [httpadapter.Scope].
func Scope(r *http.Request) (string, error) {
	if account := Account(r); account != "" {
		return account, nil
	}
	return "", ErrUnknownCaller
}
