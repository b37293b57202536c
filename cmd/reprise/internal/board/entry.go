package board

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// An entryView is an entry as a page shows it.
type entryView struct {
	replay.Entry
	On    string // the node
	Acts  []Act  // that fit
	Shown bool   // a record whose value can be revealed
}

func (v *entryView) Since() time.Time { return time.UnixMicro(v.Fence) }
func (v *entryView) Until() time.Time { return v.At.Add(v.Remembered) }
func (v *entryView) Kept() bool       { return v.Remembered == lock.Never }

func (b *Board) viewOf(ctx context.Context, e replay.Entry) *entryView {
	fit := e.Fit()
	v := &entryView{Entry: e, On: b.cfg.NodeOf(ctx, e.Key), Shown: slices.Contains(fit, "reveal")}
	for _, a := range b.cfg.Acts {
		if slices.Contains(fit, a.Name) {
			v.Acts = append(v.Acts, a)
		}
	}
	return v
}

// A search is what was filled in, and what is wrong with it.
type search struct{ Scope, Key, Digest, Fault string }

// find leads to the page of a key. What is searched for is in no URL, which browsers and proxies keep.
func (b *Board) find(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		b.trouble(w, http.StatusBadRequest, "That can't be read", "The form is cut, or longer than 256 KiB.", nil)
		return
	}
	s := search{Scope: r.PostForm.Get("scope"), Key: r.PostForm.Get("key"), Digest: strings.TrimSpace(r.PostForm.Get("digest"))}
	digest := strings.TrimPrefix(s.Digest, b.cfg.Prefix+":")
	switch {
	case s.Digest != "" && (s.Key != "" || s.Scope != ""):
		s.Fault = "Give scope and key, or a digest, and not both."
	case s.Digest != "" && !isDigest(digest):
		s.Fault = "A digest has 64 hex digits, in lower case: as in logs, in reprise ls, and at the end of the Redis key."
	case s.Digest == "" && s.Key == "":
		s.Fault = "Give a key, or a digest."
	case s.Digest == "":
		digest = b.engine.Digest(s.Scope, s.Key)
	}
	if s.Fault != "" {
		b.page(w, http.StatusBadRequest, "find", "Look up a key", s)
		return
	}
	http.Redirect(w, r, "/key/"+digest, http.StatusSeeOther)
}

func isDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// inspect looks at the key that a path names. It has answered if it returns false.
func (b *Board) inspect(w http.ResponseWriter, r *http.Request) (replay.Entry, bool) {
	digest := r.PathValue("digest")
	if !isDigest(digest) {
		b.trouble(w, http.StatusNotFound, "That is no digest", "A digest has 64 hex digits, in lower case.", nil)
		return replay.Entry{}, false
	}
	b.stay()
	e, err := b.engine.InspectDigest(r.Context(), digest)
	if err != nil {
		b.trouble(w, http.StatusBadGateway, "Redis can't be asked: "+b.cfg.Reason(err),
			"See that the node is up and can be reached from here; then load this page again.", nil)
		return e, false
	}
	return e, true
}

func (b *Board) entry(w http.ResponseWriter, r *http.Request) {
	if e, ok := b.inspect(w, r); ok {
		b.page(w, http.StatusOK, "entry", brief(e.Digest), b.viewOf(r.Context(), e))
	}
}

// revealed is an entry, with its value.
type revealed struct {
	*entryView
	Value value
}

// reveal shows what a record holds, if it is the one that was shown.
func (b *Board) reveal(w http.ResponseWriter, r *http.Request) {
	e, ok := b.inspectShown(w, r)
	if !ok {
		return
	}
	v, err := b.engine.Reveal(r.Context(), e)
	changed, isChanged := errors.AsType[*replay.ChangedError](err)
	switch {
	case err == nil:
		b.page(w, http.StatusOK, "revealed", brief(e.Digest), revealed{b.viewOf(r.Context(), e), valueOf(v)})
	case isChanged:
		b.tellChanged(w, r, changed.Now, nil)
	case errors.Is(err, replay.ErrSealed):
		b.trouble(w, http.StatusConflict, "The record is sealed, and there are no keys here to open it",
			"Start the board with CACHE_SEAL_KEYS as the servers have it.", b.viewOf(r.Context(), e))
	case errors.Is(err, replay.ErrUnreadable):
		b.trouble(w, http.StatusConflict, "The record can't be read",
			"It is damaged, or sealed with another key than those of CACHE_SEAL_KEYS here.", b.viewOf(r.Context(), e))
	case errors.Is(err, replay.ErrUnfit), errors.Is(err, replay.ErrReplayUnavailable):
		b.trouble(w, http.StatusConflict, "There is no value to show", "", b.viewOf(r.Context(), e))
	default:
		b.trouble(w, http.StatusBadGateway, "Redis can't be asked: "+b.cfg.Reason(err), "Nothing was changed. Try again.", nil)
	}
}

// inspectShown is inspect for a form that carries the mark of what it was shown with.
func (b *Board) inspectShown(w http.ResponseWriter, r *http.Request) (replay.Entry, bool) {
	mark := r.PostFormValue("mark")
	e, ok := b.inspect(w, r)
	if ok && !same(mark, e.Mark()) {
		b.tellChanged(w, r, e, nil)
		ok = false
	}
	return e, ok
}

// tellChanged says what stands there now.
func (b *Board) tellChanged(w http.ResponseWriter, r *http.Request, now replay.Entry, untold error) {
	title := "Nothing was done: the key has changed meanwhile"
	b.page(w, http.StatusConflict, "trouble", title, trouble{title,
		"This stands there now. If you still mean to act, start from here.", b.viewOf(r.Context(), now), untold})
}
