package board

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
)

//go:embed page
var files embed.FS

// assets are what pages load, and of which kind each is.
var assets = map[string]string{
	"board.css": "text/css; charset=utf-8",
	"board.js":  "text/javascript; charset=utf-8",
	"icon.svg":  "image/svg+xml",
}

func serveAsset(w http.ResponseWriter, name, kind string) {
	text, err := files.ReadFile("page/" + name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(text)
}

// pages are the templates. What others can have had a hand in goes through plain: it shows what would
// not be seen, or would turn the direction of writing.
var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"plain": screen.Plain, "age": screen.Age, "until": until, "size": screen.Bytes, "thousands": screen.Thousands, "brief": brief, "cut": cut,
	"clock": clock, "stamp": screen.Instant, "ping": ping, "more": more, "capital": capital,
}).ParseFS(files, "page/*.html"))

// A frame is what all pages have.
type frame struct {
	Title string
	Where string
	Live  bool // its figures change
	Open  bool // it is for anybody: it leads nowhere, and tells nothing of Redis
	Body  any
}

// page writes a page for whoever is admitted.
func (b *Board) page(w http.ResponseWriter, status int, name, title string, body any) {
	write(w, status, name, frame{Title: title, Where: b.cfg.Where, Live: name == "overview", Body: body})
}

// refuse writes a page for whoever isn't.
func (b *Board) refuse(w http.ResponseWriter, status int, name, title string, body any) {
	write(w, status, name, frame{Title: title, Open: true, Body: body})
}

func write(w http.ResponseWriter, status int, name string, f frame) {
	var text bytes.Buffer
	if err := pages.ExecuteTemplate(&text, name, f); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = text.WriteTo(w)
}

// render is the part of the overview that changes.
func (b *Board) render(s sight) string {
	var text bytes.Buffer
	if err := pages.ExecuteTemplate(&text, "figures", b.figuresOf(&s, time.Now())); err != nil {
		return template.HTMLEscapeString(err.Error())
	}
	return text.String()
}

func (b *Board) overview(w http.ResponseWriter, r *http.Request) {
	seen := b.look(r.Context())
	b.mu.Lock()
	f := b.figuresOf(&seen, time.Now())
	b.mu.Unlock()
	b.page(w, http.StatusOK, "overview", "Overview", f)
}

// A trouble is what went wrong, and what to do.
type trouble struct {
	Title, Cure string
	Now         *entryView // what stands there instead
	Untold      error      // why an act that was tried is not in the log
}

func (b *Board) trouble(w http.ResponseWriter, status int, title, cure string, now *entryView) {
	b.page(w, status, "trouble", title, trouble{title, cure, now, nil})
}
