package board_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/cmd/reprise/internal/board"
	"github.com/reprise-go/reprise/replay"
)

func TestFind(t *testing.T) {
	w := newWorld(t)
	digest := w.record("order-1", "v")
	for name, form := range map[string]url.Values{
		"scope and key": {"scope": {"acme"}, "key": {"order-1"}},
		"digest":        {"digest": {" " + digest}},
		"Redis key":     {"digest": {w.engine.Config().Prefix + ":" + digest}},
	} {
		r := w.ask("/find", form)
		if r.wants(t, http.StatusSeeOther); r.Header.Get("Location") != "/key/"+digest {
			t.Errorf("%s: leads to %q", name, r.Header.Get("Location"))
		}
	}
	for fault, form := range map[string]url.Values{
		"Give a key": {"scope": {"acme"}},
		"64 hex":     {"digest": {"<b>"}},
		"not both":   {"digest": {digest}, "key": {"order-1"}},

		"longer than ": {"key": {strings.Repeat("k", 300<<10)}},
	} {
		if form != nil {
			w.ask("/find", form).wants(t, http.StatusBadRequest, fault)
		}
	}
	w.ask("/key/"+strings.ToUpper(digest), nil).wants(t, http.StatusNotFound, "64 hex digits")
}

// What is confirmed is done, once, and told.
func TestActs(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ act, past, digest, state string }{
		{"release", "Released", w.leave("left"), "abandoned"},
		{"forget", "Forgotten", w.record("done", "v"), "done"},
	} {
		path := "/key/" + c.digest
		w.ask(path, nil).wants(t, http.StatusOK, c.state, path+"/"+c.act)
		asked := w.ask(path+"/"+c.act, nil)
		asked.wants(t, http.StatusOK, "It will change what is "+c.state, `method="post"`, "<code>"+asked.mark(t)+"</code>")
		form := url.Values{"mark": {asked.mark(t)}, "reason": {"ticket 7"}}
		w.ask(path+"/"+c.act, form).wants(t, http.StatusOK, c.past, c.state)
		w.ask(path, nil).wants(t, http.StatusOK, "Nothing stands under this key")
		w.ask(path+"/"+c.act, form).wants(t, http.StatusConflict, "Nothing was done", "free")
		last := w.done[len(w.done)-1]
		if last.Act.Name != c.act || last.Before.Digest != c.digest || last.Err != nil || last.Reason != "ticket 7" || last.From == "" {
			t.Errorf("told %+v", last)
		}
	}
	if len(w.done) != 2 {
		t.Errorf("told of %d acts, want 2", len(w.done))
	}
	digest := w.record("again", "v")
	w.ask("/key/"+digest+"/release", nil).wants(t, http.StatusConflict, "can&#39;t release what is done")
	w.ask("/key/"+digest+"/destroy", nil).wants(t, http.StatusNotFound)
	w.ask("/key/"+digest+"/forget", url.Values{}).wants(t, http.StatusConflict, "Nothing was done")
}

// What has changed between look and act, or between the act's own look and Redis, is left alone.
func TestChangedMeanwhile(t *testing.T) {
	w := newWorld(t)
	digest := w.leave("k")
	form := url.Values{"mark": {w.ask("/key/"+digest+"/release", nil).mark(t)}}
	w.record("k", "v")
	w.ask("/key/"+digest+"/release", form).wants(t, http.StatusConflict, "has changed meanwhile", "done")
	w.ask("/key/"+digest, nil).wants(t, http.StatusOK, "done")

	late := w.leave("late")
	w.serve(w.engine, func(c *board.Config) {
		c.Acts[0].Do = func(ctx context.Context, e replay.Entry) error {
			w.record("late", "v")
			return w.engine.Release(ctx, e)
		}
	})
	form = url.Values{"mark": {w.ask("/key/"+late+"/release", nil).mark(t)}}
	w.ask("/key/"+late+"/release", form).wants(t, http.StatusConflict, "has changed meanwhile", "done")
	if n := len(w.done); n != 1 || !errors.Is(w.done[0].Err, replay.ErrChanged) {
		t.Errorf("told of %+v", w.done)
	}
}

// What was done, and is in no log, is told to whoever did it.
func TestActUntold(t *testing.T) {
	w := newWorld(t)
	w.untold = errors.New("write acts.log: no space left on device")
	act := func(digest string, status int, words ...string) {
		t.Helper()
		form := url.Values{"mark": {w.ask("/key/"+digest+"/release", nil).mark(t)}}
		w.ask("/key/"+digest+"/release", form).wants(t, status,
			append(words, "The audit line could not be written: write acts.log: no space left on device")...)
	}
	act(w.leave("done"), http.StatusOK, "Released")
	w.serve(w.engine, func(c *board.Config) {
		c.Acts[0].Do = func(context.Context, replay.Entry) error { return &replay.ChangedError{} }
	})
	act(w.leave("changed"), http.StatusConflict, "Nothing was done")
	w.serve(w.engine, func(c *board.Config) {
		c.Acts[0].Do = func(context.Context, replay.Entry) error { return replay.ErrUnavailable }
	})
	act(w.leave("unknown"), http.StatusBadGateway, "Nobody knows")
}

func TestNobodyKnows(t *testing.T) {
	w := newWorld(t)
	digest := w.record("k", "v")
	w.serve(w.engine, func(c *board.Config) {
		c.Acts[2].Do = func(context.Context, replay.Entry) error { return replay.ErrUnavailable }
	})
	form := url.Values{"mark": {w.ask("/key/"+digest+"/forget", nil).mark(t)}}
	w.ask("/key/"+digest+"/forget", form).wants(t, http.StatusBadGateway, "Nobody knows whether it was done")
	w.redis.Close()
	w.ask("/key/"+digest, nil).wants(t, http.StatusBadGateway, "Redis can&#39;t be asked")
}

func TestReveal(t *testing.T) {
	w := newWorld(t)
	digest := w.record("k", map[string]any{
		"status": 201, "header": map[string]any{"X-Hostile": []any{"<script>alert(1)</script>", "\u202egnirts"}},
		"body": []byte("<img src=x onerror=alert(1)>\x00\n" + strings.Repeat("x", 70<<10)),
	})
	page := w.ask("/key/"+digest, nil)
	if page.wants(t, http.StatusOK, "Reveal"); strings.Contains(page.body, "script>alert") || strings.Contains(page.body, "onerror") {
		t.Error("it shows the value unasked")
	}
	w.ask("/key/"+digest+"/reveal", url.Values{"mark": {"0"}}).wants(t, http.StatusConflict, "changed meanwhile")
	w.ask("/key/"+digest+"/reveal", url.Values{"mark": {page.mark(t)}}).wants(t, http.StatusOK, "201",
		"header X-Hostile", "&lt;script&gt;alert(1)&lt;/script&gt;", `\u202egnirts`, `&lt;img src=x onerror=alert(1)&gt;\x00`, "more bytes")
}
