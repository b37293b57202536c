package board

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/reprise-go/reprise/replay"
)

const secret = "order/7 & <b>ünsecret</b>"

// An operator looks a key up, and does what the page said that it would do; the log tells of it, and
// neither it nor an address has the key.
func TestLookUpAndAct(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	left, record := s.leave(t, secret), s.record(t, "done", "answer")
	b := open(t, wide, false)
	b.visit(s.url + "/")
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name=scope]`), "acme"), chromedp.SendKeys(chromedp.CSS(`input[name=key]`), secret))
	b.follow(".find button")
	b.says("h1", left)
	b.says(".facts", "abandoned attempt 1")
	b.follow(`a[href$="/release"]`)
	b.says(".lead", "It will free the key")
	if got := s.standing(t, left); got != replay.KeyAbandoned {
		t.Errorf("it is %s before it was confirmed", got)
	}
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name=reason]`), "ticket 7"))
	b.follow("form.confirm button")
	b.says(".result", "Released.")
	b.shoot("released")
	if got := s.standing(t, left); got != replay.KeyFree {
		t.Errorf("it is %s, want free", got)
	}
	b.follow(`.acts a[href^="/key/"]`)
	b.says(".lead", "Nothing stands under this key")

	b.visit(s.url + "/key/" + record + "/forget")
	b.follow("form.confirm button")
	b.says(".result", "Forgotten.")
	if got := s.standing(t, record); got != replay.KeyFree {
		t.Errorf("it is %s, want free", got)
	}
	s.hides(t, secret, b.addresses())
	var line struct {
		Msg, Verb, Digest, Result, Reason, From string
	}
	first, _, _ := strings.Cut(s.said(), "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil || line.Verb != "release" || line.Digest != left ||
		line.Result != "released" || line.Reason != "ticket 7" || !strings.HasPrefix(line.From, "127.0.0.1:") {
		t.Errorf("%v, and the log has %s", err, first)
	}
}

// What has changed while the operator thought is left alone, and shown.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	digest := s.leave(t, "k")
	b := open(t, narrow, true)
	b.visit(s.url + "/key/" + digest + "/release")
	b.says("h1", "Release this key?")
	s.record(t, "k", "answer")
	b.expect("status of 409")
	b.follow("form.confirm button")
	b.says("h1", "Nothing was done: the key has changed meanwhile")
	b.says(".facts", "done")
	b.shoot("changed")
	if got := s.standing(t, digest); got != replay.KeyDone {
		t.Errorf("it is %s, want done", got)
	}
}

// All of it goes without a mouse, and the focus is to be seen on the way.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	digest := s.leave(t, "k")
	b := open(t, wide, false)
	b.visit(s.url + "/")
	b.says("#pulse", "live: 0 in flight, 1 abandoned")
	b.press(kb.Tab)
	b.says(":focus", "Skip to the content")
	b.shoot("skip")
	b.press(kb.Enter)
	b.until("the content has the focus", `document.activeElement.id === "main"`)
	b.tabTo(`a[href="/key/` + digest + `"]`)
	b.shoot("focus")
	b.leaves(func() { b.press(kb.Enter) })

	b.tabTo("input[name=scope]")
	b.press("acme" + kb.Tab + "k")
	b.leaves(func() { b.press(kb.Enter) })
	b.says("h1", digest)
	b.tabTo(`a[href$="/release"]`)
	b.leaves(func() { b.press(kb.Enter) })
	b.tabTo("form.confirm button")
	b.leaves(func() { b.press(" ") })
	b.says(".result", "Released.")
	if got := s.standing(t, digest); got != replay.KeyFree {
		t.Errorf("it is %s, want free", got)
	}
}

// tabTo presses Tab until an element has the focus, each time with a ring around what has it.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 100 {
		b.press(kb.Tab)
		if ring := value[string](b, `getComputedStyle(document.activeElement).outlineStyle`); ring == "none" {
			b.t.Errorf("no ring around %s", value[string](b, `document.activeElement.outerHTML`))
		}
		if value[bool](b, `document.activeElement.matches(`+quoted(selector)+`)`) {
			return
		}
	}
	b.t.Fatalf("Tab doesn't get to %s", selector)
}

func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}
