package board

import (
	"cmp"
	"context"
	"crypto/rand"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// An Engine is what is needed of a [replay.Engine].
type Engine interface {
	Digest(scope, key string) string
	InspectDigest(ctx context.Context, digest string) (replay.Entry, error)
	Reveal(ctx context.Context, entry replay.Entry) (any, error)
	Scan(ctx context.Context, scan replay.Scan) iter.Seq2[replay.Entry, error]
	Nodes(ctx context.Context) ([]lock.Node, error)
}

// Config says what a board shows and to whom.
type Config struct {
	Where  string // Redis, as the head of each page names it
	Prefix string // of Redis keys

	// Token has to be shown by whoever wants to see the board. Empty asks for none, and then answers
	// requests only whose Host is this machine's loopback, so that no foreign page can have a browser
	// ask under a name of its own (DNS rebinding).
	Token string

	Interval time.Duration // between two looks. Zero means 2 s.
	Rate     int           // of a walk, as replay.Scan.Rate

	Acts   []Act
	Acted  func(Done) error                             // is told of each act that was tried. Nil tells nobody.
	Reason func(error) string                           // why Redis could not be asked. Nil means err.Error.
	NodeOf func(ctx context.Context, key string) string // the node of a Redis key, or "". Nil means "".
}

// An Act is what an operator can do about an entry, by the name that [replay.Entry.Fit] has for it.
type Act struct {
	Name string
	Will map[replay.KeyState]string // what it will do to what stands there, after "It will"
	Past string                     // the word for that it was done
	Do   func(context.Context, replay.Entry) error
}

// Done tells of an act that was tried.
type Done struct {
	Act    Act
	From   string // the address that it was asked for from
	Reason string // that the operator gave; may be empty
	Before replay.Entry
	Err    error // nil: it was done; a *replay.ChangedError: it was not; another: nobody knows
}

// A Board is the page. Close ends it.
type Board struct {
	engine  Engine
	cfg     Config
	cookie  string // the name of what a browser keeps that has shown the token: another board's is another
	session string // its value
	handler http.Handler

	ctx  context.Context // ends with the board
	stop context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex
	watchers map[chan []byte]struct{}
	until    time.Time     // somebody has looked, and may look again
	running  bool          // looks are being taken
	changed  chan struct{} // closed when seen changes, and made anew
	seen     sight
}

// New makes a Board, which asks nothing of Redis until somebody looks.
func New(engine Engine, cfg Config) *Board {
	cfg.Interval = cmp.Or(cfg.Interval, 2*time.Second)
	if cfg.Reason == nil {
		cfg.Reason = error.Error
	}
	if cfg.NodeOf == nil {
		cfg.NodeOf = func(context.Context, string) string { return "" }
	}
	if cfg.Acted == nil {
		cfg.Acted = func(Done) error { return nil }
	}
	b := &Board{engine: engine, cfg: cfg, cookie: "reprise_board_" + rand.Text()[:8], session: rand.Text(),
		watchers: map[chan []byte]struct{}{}, changed: make(chan struct{}),
		seen: sight{again: map[string]replay.Entry{}}}
	b.ctx, b.stop = context.WithCancel(context.Background())
	b.handler = b.guarded(b.routes())
	return b
}

// Close ends all event streams and looks, and waits for the latter.
func (b *Board) Close() {
	b.stop()
	b.work.Wait()
}

func (b *Board) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", b.overview)
	mux.HandleFunc("GET /events", b.events)
	mux.HandleFunc("POST /find", b.find)
	mux.HandleFunc("GET /key/{digest}", b.entry)
	mux.HandleFunc("POST /key/{digest}/reveal", b.reveal)
	mux.HandleFunc("GET /key/{digest}/{act}", b.confirm)
	mux.HandleFunc("POST /key/{digest}/{act}", b.act)
	for name, kind := range assets {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, _ *http.Request) { serveAsset(w, name, kind) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		b.trouble(w, http.StatusNotFound, "There is no such page", "", nil)
	})
	return mux
}

func (b *Board) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.handler.ServeHTTP(w, r) }
