package board

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/reprise-go/reprise/replay"
)

// A question is what will be done to what, if it is confirmed; or what was done.
type question struct {
	*entryView
	Act    Act
	Will   string
	Untold error // why the act is not in the log
}

// find an act by its name.
func (b *Board) actOf(w http.ResponseWriter, r *http.Request) (Act, bool) {
	i := slices.IndexFunc(b.cfg.Acts, func(a Act) bool { return a.Name == r.PathValue("act") })
	if i < 0 {
		b.trouble(w, http.StatusNotFound, "There is no such page", "", nil)
		return Act{}, false
	}
	return b.cfg.Acts[i], true
}

// confirm shows what stands there and asks. It does nothing.
func (b *Board) confirm(w http.ResponseWriter, r *http.Request) {
	a, known := b.actOf(w, r)
	if !known {
		return
	}
	e, ok := b.inspect(w, r)
	if !ok {
		return
	}
	if !slices.Contains(e.Fit(), a.Name) {
		b.unfit(w, r, a, e)
		return
	}
	b.page(w, http.StatusOK, "confirm", capital(a.Name)+" "+brief(e.Digest), question{b.viewOf(r.Context(), e), a, a.Will[e.State], nil})
}

func (b *Board) unfit(w http.ResponseWriter, r *http.Request, a Act, e replay.Entry) {
	b.trouble(w, http.StatusConflict, "Nothing was done: can't "+a.Name+" what is "+string(e.State), "", b.viewOf(r.Context(), e))
}

// act does what was confirmed, to what was shown.
func (b *Board) act(w http.ResponseWriter, r *http.Request) {
	a, known := b.actOf(w, r)
	if !known {
		return
	}
	e, ok := b.inspectShown(w, r)
	if !ok {
		return
	}
	err := a.Do(r.Context(), e)
	if errors.Is(err, replay.ErrUnfit) {
		b.unfit(w, r, a, e)
		return
	}
	untold := b.cfg.Acted(Done{Act: a, From: r.RemoteAddr, Reason: cut(1000, r.PostFormValue("reason")), Before: e, Err: err})
	changed, isChanged := errors.AsType[*replay.ChangedError](err)
	switch {
	case isChanged:
		b.tellChanged(w, r, changed.Now, untold)
	case err != nil:
		title := "Nobody knows whether it was done: " + b.cfg.Reason(err)
		b.page(w, http.StatusBadGateway, "trouble", title, trouble{title, "Look at the key again before you do anything else.", nil, untold})
	default:
		b.page(w, http.StatusOK, "acted", capital(a.Past)+" "+brief(e.Digest), question{b.viewOf(r.Context(), e), a, "", untold})
	}
}

func capital(word string) string {
	if word == "" {
		return ""
	}
	return strings.ToUpper(word[:1]) + word[1:]
}
