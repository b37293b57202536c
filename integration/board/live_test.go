package board

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// A claim comes and goes on a page that is never loaded again, and the focus stays where it is.
func TestLive(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	left := s.leave(t, "left")
	b := open(t, wide, true)
	b.visit(s.url + "/")
	b.says("#in-flight", "Nothing is in flight")
	b.says("#abandoned", left[:12])
	value[bool](b, `window.same = true`)
	b.do(chromedp.Focus(chromedp.CSS(`#abandoned a.key`)))

	// For as long as one walk takes, every five seconds: no question may come at the right moment.
	value[bool](b, `window.renewed = false, new MutationObserver(() => {
		window.renewed ||= document.querySelector("#in-flight")?.innerText.includes("renewed");
	}).observe(document, { subtree: true, childList: true, characterData: true }), true`)

	digest, end := s.hold(t, "held")
	b.says("#in-flight", digest[:12])
	b.says("#pulse", "live: 1 in flight, 1 abandoned")
	b.until("renewed", `window.renewed`)
	b.shoot("live")
	end()
	b.says("#in-flight", "Nothing is in flight")
	b.says("#records", digest[:12])
	if !value[bool](b, `window.same`) {
		t.Error("the page was loaded again")
	}
	if !value[bool](b, `document.activeElement.matches("#abandoned a.key")`) {
		t.Error("the focus is lost")
	}
}

// Redis doesn't answer for a while: the page says so, keeps what it knew, and comes back by itself.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	left := s.leave(t, "left")
	b := open(t, wide, false)
	b.visit(s.url + "/")
	b.says("#abandoned", left[:12])
	s.redis.Stop()
	b.says("#faults", "can't be asked: no answer within")
	b.says("#abandoned", left[:12])
	b.says("#nodes", "down")
	b.shoot("hangs")
	s.redis.Continue()
	b.until("Redis is back", `!document.getElementById("faults")`)
	b.says("#pulse", "live: ")
}

// Without a script, and without anybody who watches, the page is as good as its last loading.
func TestNoScript(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := open(t, narrow, false)
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	for _, key := range []string{"one", "two"} {
		digest := s.leave(t, key)
		for html := ""; !strings.Contains(html, digest); {
			b.visit(s.url + "/")
			var err error
			if html, err = chromedp.Run(b.ctx, chromedp.OuterHTML(chromedp.CSS("#figures"))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Whatever a tenant has chosen is text.
func TestHostileText(t *testing.T) {
	t.Parallel()
	const script = `<script>window.pwned=1</script>`
	s := newSite(t)
	long := strings.Repeat("x", 10<<10)
	s.foreign(t, script+"\u202egnp.exe\x00\"'>", script)
	s.foreign(t, long, "long")
	record := s.record(t, script, map[string]any{
		"status": 200, "header": map[string]any{"X-Hostile": []any{script, "\u202egnp.exe", long}, script: []any{`" onload="window.pwned=1`}},
		"body": []byte(`<img src=x onerror="window.pwned=1">` + "\x00\x1b[31m\u202ekcatta\n" + long)})
	for _, width := range []int{narrow, wide} {
		b := open(t, width, width == narrow)
		harmless := func(name string, words ...string) {
			t.Helper()
			for _, word := range words {
				b.says("main", word)
			}
			if value[bool](b, `window.pwned !== undefined || document.scripts.length > 1 || document.querySelectorAll("main img").length > 0`) {
				t.Errorf("%s: it got into the page", name)
			}
			if text := b.text("body"); strings.ContainsAny(text, "\u202e\x00\x1b") {
				t.Errorf("%s: what can't be seen stands there as it is", name)
			}
			if over := value[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
				t.Errorf("%s is %d pixels wider than its %d", name, over, width)
			}
			if width == narrow {
				b.shoot(name)
			}
		}
		b.visit(s.url + "/")
		b.says("#pulse", "live: ")
		harmless("hostile-keys", script, `\u202egnp.exe\x00`)
		b.visit(s.url + "/key/" + record)
		b.follow(`form[action$="/reveal"] button`)
		harmless("hostile-answer", script, `\u202egnp.exe`, `onerror="window.pwned=1"`, `\x00\x1b[31m\u202ekcatta`, `" onload="window.pwned=1`)
	}
}
