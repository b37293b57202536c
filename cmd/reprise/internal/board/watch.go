package board

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	// linger is how long looks go on after somebody has left a page: who comes back, or has no script,
	// finds the walk where it is by then.
	linger = 15 * time.Second
	// patience is how long a page waits for figures that are on their way.
	patience = time.Second
	// maxWatchers bounds the streams.
	maxWatchers = 64
	// writeWithin bounds how long a stream waits for a browser that reads nothing.
	writeWithin = 10 * time.Second
)

// look has looks being taken for a while, and returns what is seen: at once, if it is new.
func (b *Board) look(ctx context.Context) sight {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stayLocked()
	b.start()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	for !b.seen.isNew(b.cfg.Interval) {
		changed := b.changed
		b.mu.Unlock()
		waited := false
		select {
		case <-changed:
		case <-enough.C:
			waited = true
		case <-ctx.Done():
			waited = true
		}
		b.mu.Lock()
		if waited {
			break
		}
	}
	return b.seen
}

// stay has looks that are being taken go on for a while.
func (b *Board) stay() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stayLocked()
}

func (b *Board) stayLocked() { b.until = time.Now().Add(linger) }

// start begins to look, unless that is being done. The caller holds mu.
func (b *Board) start() {
	if b.running || b.ctx.Err() != nil {
		return
	}
	b.running = true
	b.work.Go(b.run)
}

// isWatched tells whether somebody wants to know.
func (b *Board) isWatched() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.watchedLocked()
}

func (b *Board) watchedLocked() bool {
	return b.ctx.Err() == nil && (len(b.watchers) > 0 || time.Now().Before(b.until))
}

// change changes what is seen, and tells those who watch.
func (b *Board) change(f func(*sight)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.seen)
	close(b.changed)
	b.changed = make(chan struct{})
	if len(b.watchers) == 0 {
		return
	}
	event := eventOf(b.render(b.seen))
	for w := range b.watchers {
		select {
		case <-w: // it was too slow for the one before
		default:
		}
		w <- event
	}
}

// eventOf is a server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func eventOf(text string) []byte {
	return []byte("event: figures\ndata: " + strings.ReplaceAll(text, "\n", "\ndata: ") + "\n\n")
}

// events streams the figures until one side leaves.
func (b *Board) events(w http.ResponseWriter, r *http.Request) {
	updates := make(chan []byte, 1)
	b.mu.Lock()
	full := len(b.watchers) >= maxWatchers
	if !full {
		b.watchers[updates] = struct{}{}
		b.start()
		if b.seen.isNew(b.cfg.Interval) {
			updates <- eventOf(b.render(b.seen))
		}
	}
	b.mu.Unlock()
	if full {
		w.Header().Set("Retry-After", "30")
		http.Error(w, fmt.Sprintf("%d pages are watching already: close some", maxWatchers), http.StatusServiceUnavailable)
		return
	}
	defer func() {
		b.mu.Lock()
		delete(b.watchers, updates)
		b.stayLocked()
		b.mu.Unlock()
	}()

	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not collect it
	control := http.NewResponseController(w)
	send := func(event []byte) bool {
		err := control.SetWriteDeadline(time.Now().Add(writeWithin))
		if err != nil && !errors.Is(err, http.ErrNotSupported) {
			return false
		}
		_, err = w.Write(event)
		return err == nil && control.Flush() == nil
	}
	event := []byte("retry: 2000\n\n")
	for send(event) {
		select {
		case event = <-updates:
		case <-r.Context().Done():
			return
		case <-b.ctx.Done():
			return
		}
	}
}

// run looks until nobody watches.
func (b *Board) run() {
	for {
		ctx, cancel := context.WithCancel(b.ctx)
		walked := make(chan struct{})
		go func() {
			defer close(walked)
			b.walkOn(ctx)
		}()
		for b.isWatched() {
			b.askNodes(ctx)
			rest(ctx, b.cfg.Interval)
		}
		cancel()
		<-walked
		b.mu.Lock()
		if !b.watchedLocked() {
			b.running = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
	}
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
