package board_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/cmd/reprise/internal/board"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// An endless is an engine whose walk takes for ever.
type endless struct {
	*replay.Engine
	begun, ended atomic.Int64
}

func (e *endless) Nodes(context.Context) ([]lock.Node, error) { return nil, nil }

func (e *endless) InspectDigest(context.Context, string) (replay.Entry, error) {
	return replay.Entry{State: replay.KeyFree}, nil
}

func (e *endless) Scan(ctx context.Context, _ replay.Scan) iter.Seq2[replay.Entry, error] {
	return func(func(replay.Entry, error) bool) {
		e.begun.Add(1)
		<-ctx.Done()
		e.ended.Add(1)
	}
}

// Who looks at a key's page, and at another, comes back to the walk that was under way; when nobody
// does any more, it ends.
func TestWalkOutlivesALookAtAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endless{}
		b := board.New(e, board.Config{})
		defer b.Close()
		ask := func(ctx context.Context, path string) {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
			b.ServeHTTP(httptest.NewRecorder(), r)
		}
		watch := func() {
			ctx, leave := context.WithTimeout(t.Context(), time.Minute)
			defer leave()
			ask(ctx, "/events")
		}
		watch()
		for range 5 {
			time.Sleep(10 * time.Second)
			ask(t.Context(), "/key/"+strings.Repeat("0", 64))
		}
		time.Sleep(10 * time.Second)
		watch()
		synctest.Wait()
		if begun, ended := e.begun.Load(), e.ended.Load(); begun != 1 || ended != 0 {
			t.Errorf("of %d walks %d were given up, want one that goes on", begun, ended)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if begun, ended := e.begun.Load(), e.ended.Load(); begun != 1 || ended != 1 {
			t.Errorf("of %d walks %d have ended, want one and it", begun, ended)
		}
	})
}
