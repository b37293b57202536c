package board

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A tab is a page of a size and a colour scheme.
type tab struct {
	t     *testing.T
	ctx   context.Context
	width int
	dark  bool

	mu       sync.Mutex
	faults   []string // on the console: what the policy forbids, and errors
	asked    []string // addresses
	expected []string // a fault with such a text is none
}

const (
	narrow = 360
	wide   = 1600
)

// open opens a tab. At its end nothing may have been wrong on its console.
func open(t *testing.T, width int, dark bool) *tab {
	t.Helper()
	b := &tab{t: t, width: width, dark: dark}
	ctx, leave := chromedp.NewContext(browser, chromedp.WithListener(b.listen))
	t.Cleanup(leave)
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	b.ctx = ctx
	size := emulation.SetDeviceMetricsOverrideParams{Width: int64(width), Height: 900, DeviceScaleFactor: 1}
	if width == narrow {
		size.Height, size.Mobile = 740, true
	}
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err1 := chromedp.Call(ctx, log.Enable, cdp.Empty{})
		_, err2 := chromedp.Call(ctx, network.Enable, network.EnableParams{})
		_, err3 := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, size)
		_, err4 := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		_, err5 := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}) // though others are open
		return errors.Join(err1, err2, err3, err4, err5)
	}))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, fault := range b.faults {
			t.Errorf("on the console: %s", fault)
		}
	})
	return b
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	add := func(text string) {
		if !slices.ContainsFunc(b.expected, func(known string) bool { return strings.Contains(text, known) }) {
			b.faults = append(b.faults, text)
		}
	}
	switch e := event.(type) {
	case *log.EventEntryAdded:
		add(fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *runtime.EventConsoleAPICalled:
		add(fmt.Sprintf("%s: %s", e.Type, e.Args[0].Value))
	case *runtime.EventExceptionThrown:
		add(e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	}
}

// addresses are all that the tab has asked for.
func (b *tab) addresses() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("%v; the page says:\n%s", err, b.text("body"))
	}
}

// visit loads a page.
func (b *tab) visit(url string) { b.t.Helper(); b.do(chromedp.Navigate(url)) }

// expect lets the browser tell such things on the console.
func (b *tab) expect(texts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = texts
}

// until waits until a condition of JavaScript holds, on this page or one that follows it.
func (b *tab) until(what, condition string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	for again := time.NewTicker(20 * time.Millisecond); ; {
		holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+condition+")")) // an error on the way to another page
		if err == nil && holds {
			again.Stop()
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			b.shoot("failed")
			b.t.Fatalf("not %s: %v; the page says:\n%s", what, err, b.text("body"))
		}
	}
}

// says waits until an element has a text.
func (b *tab) says(selector, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("%q in %s", text, selector), fmt.Sprintf(`(document.querySelector(%q)?.innerText ?? "").includes(%q)`, selector, text))
}

// text is what an element says.
func (b *tab) text(selector string) string {
	text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector)))
	return text
}

// value is what JavaScript says.
func value[T any](b *tab, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		b.t.Fatalf("%v: %s", err, js)
	}
	return v
}

// press presses keys.
func (b *tab) press(keys string) { b.t.Helper(); b.do(chromedp.KeyEvent(keys)) }

// follow clicks what leads to another page, and waits for that.
func (b *tab) follow(selector string) {
	b.t.Helper()
	b.leaves(func() { b.do(chromedp.Click(chromedp.CSS(selector))) })
}

// leaves waits for another page after f.
func (b *tab) leaves(f func()) {
	b.t.Helper()
	value[bool](b, `window.samePage = true`)
	f()
	b.until("another page", `window.samePage === undefined && document.readyState === "complete"`)
}

// shoot takes a picture of the whole page.
func (b *tab) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("REPRISE_SCREENSHOTS")
	if dir == "" {
		dir = b.t.ArtifactDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	scheme := "light"
	if b.dark {
		scheme = "dark"
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Errorf("no picture: %v", err)
		return
	}
	file := filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, b.width, scheme))
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
