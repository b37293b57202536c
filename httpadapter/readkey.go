package httpadapter

import (
	"net/http"

	"github.com/reprise-go/reprise/dialect"
)

// readKey returns the key of a request and the first of names, of which there is at least one, that
// carries it. Every accepted header that is there must be valid, and all must agree once parsed: of
// two keys, nobody could tell which the client will send again. Its error is a *dialect.KeyError.
func readKey(h http.Header, names []string, syntax dialect.KeySyntax) (key, header string, err error) {
	for _, name := range names {
		lines := h.Values(name)
		if len(lines) == 0 {
			continue
		}
		k, err := syntax.Parse(lines)
		if err != nil {
			err.(*dialect.KeyError).Header = name
			return "", "", err
		}
		if header == "" {
			key, header = k, name
		} else if k != key {
			return "", "", &dialect.KeyError{Outcome: dialect.KeyRepeated, Header: name, Want: "the same key as in " + header}
		}
	}
	if header == "" {
		return "", "", &dialect.KeyError{Outcome: dialect.KeyMissing, Header: names[0], Want: syntax.Want()}
	}
	return key, header, nil
}
