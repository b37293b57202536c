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
	again  func() (io.ReadCloser, error) // nil: it is too long, and can be sent once only
	length int64                         // for Request.ContentLength
}

// newPayload takes the request's body over: on an error it has closed it. A body that only can be read once is read here
// up to max bytes, for as long as ctx lasts.
func newPayload(ctx context.Context, r *http.Request, max int64) (payload, error) {
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		return payload{http.NoBody, func() (io.ReadCloser, error) { return http.NoBody, nil }, 0}, nil
	case r.GetBody != nil:
		return payload{r.Body, r.GetBody, r.ContentLength}, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = r.Body.Close() }) // which ends a Read that hangs
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
	default: // the close is what Read complains of, if it does
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
		length = -1 // only chunks can have trailers, and a length of 0 would leave open whether there is a body
	}
	again := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	first, _ := again()
	return payload{first, again, length}, nil
}
