package httpclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// A payload is a request's body that can be sent again.
type payload struct {
	first  io.ReadCloser
	again  func() (io.ReadCloser, error) // nil for a body that is too long to be sent again
	length int64                         // for Request.ContentLength
}

// newPayload takes over the request's body, and closes it if it fails. It reads a body that can be
// read only once into memory, up to max bytes and until ctx ends.
func newPayload(ctx context.Context, r *http.Request, max int64) (payload, error) {
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		return payload{http.NoBody, func() (io.ReadCloser, error) { return http.NoBody, nil }, 0}, nil
	case r.GetBody != nil:
		return payload{r.Body, r.GetBody, r.ContentLength}, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = r.Body.Close() }) // ends a Read that hangs
	b, err := io.ReadAll(io.LimitReader(r.Body, max+1))
	stopped := stop()
	switch {
	case err == nil && stopped && int64(len(b)) > max:
		rest := struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(b), r.Body), r.Body}
		return payload{rest, nil, r.ContentLength}, nil
	case stopped:
		_ = r.Body.Close()
	default: // ctx has ended, and Read may have failed because its body was closed
		err = context.Cause(ctx)
	}
	if err == nil && r.ContentLength > 0 && int64(len(b)) != r.ContentLength {
		err = fmt.Errorf("ContentLength is %d, want %d as the body has", r.ContentLength, len(b))
	}
	if err != nil {
		return payload{}, fmt.Errorf("request body: %w", err)
	}
	length := int64(len(b))
	if len(r.Trailer) > 0 || length == 0 {
		// Chunks, because only they can have trailers, and because net/http takes a length of 0
		// with a body for an unknown length.
		length = -1
	}
	again := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	first, _ := again()
	return payload{first, again, length}, nil
}
