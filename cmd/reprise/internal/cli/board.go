package cli

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cmd/reprise/internal/board"
	"github.com/reprise-go/reprise/cmd/reprise/internal/env"
	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A boardServer serves a board.
type boardServer struct {
	*program
	site          *site
	listen, token string
	audit         string // a file's name
	interval      time.Duration
	rate          int
	made          bool // the token, here
}

func (p *program) boardCommand() *cobra.Command {
	l := &boardServer{program: p}
	c := p.command(0, &cobra.Command{
		Use:     "board",
		Short:   "The same as a page, to look at in a browser",
		GroupID: fleet,
		Example: "  reprise board\n" +
			"  REPRISE_BOARD_TOKEN=… reprise board --listen 10.0.0.5:7474 --audit acts.log",
		Long: "It serves what is in flight, abandoned and old, each node's memory and what stands under a key, with " +
			"release, abandon and forget behind a confirmation. On loopback it asks for no token unless it is " +
			"given one, so every user of this machine may do all of that; anywhere else it asks for one. It speaks no TLS. Who isn't on this machine best comes by ssh -L 7474:127.0.0.1:7474. It ends " +
			"by Ctrl-C.",
	}, func(ctx context.Context, _ []string) error {
		if err := l.check(); err != nil {
			return err
		}
		s, err := p.open()
		if err != nil {
			return err
		}
		defer s.close()
		l.site = s
		return l.serve(ctx)
	})
	flags := c.Flags()
	flags.StringVar(&l.listen, "listen", "127.0.0.1:7474", "`address` to listen on")
	flags.StringVar(&l.token, "token", "", "what a browser has to show once; best set as REPRISE_"+env.BoardToken+", or made at the start")
	flags.StringVar(&l.audit, "audit", "", "append an audit line for each act to this `file`, too")
	flags.DurationVar(&l.interval, "interval", 2*time.Second, "how long to wait between two looks")
	flags.IntVar(&l.rate, "rate", 10_000, "walk so many `keys` a second at most; -1 is as fast as Redis answers")
	return c
}

func (l *boardServer) check() error {
	if l.token == "" {
		l.token = config.Variable(l.prefix, env.BoardToken, l.Environ)
	}
	switch {
	case l.token != "" && len(l.token) < env.LeastToken:
		return misuse("--token: got %d bytes, want at least %d", len(l.token), env.LeastToken)
	case l.interval < 100*time.Millisecond:
		return misuse("--interval: got %v, want at least 100ms", l.interval)
	case l.rate < lock.Unbounded || l.rate == 0:
		return misuse("--rate: got %d, want keys a second, or -1", l.rate)
	}
	if _, _, err := net.SplitHostPort(l.listen); err != nil {
		return misuse("--listen: got %q, want an address such as 127.0.0.1:7474", l.listen)
	}
	return nil
}

func (l *boardServer) serve(ctx context.Context) error {
	a := &audit{path: l.audit}
	if err := a.open(); err != nil {
		return misuse("--audit: %w", err)
	}
	defer a.close()
	listener, err := net.Listen("tcp", l.listen)
	if err != nil {
		return &fault{failed, err, "--listen 127.0.0.1:0 takes any port that is free"}
	}
	if addr := listener.Addr().(*net.TCPAddr); !addr.IP.IsLoopback() && l.token == "" {
		l.token, l.made = rand.Text(), true
	}
	b := board.New(l.site.engine, l.config(a))
	server := &http.Server{
		Handler: b, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(slog.NewJSONHandler(safe{l.err}, nil), slog.LevelWarn),
	}
	server.RegisterOnShutdown(b.Close) // which ends the streams
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	l.printAddress(listener.Addr().(*net.TCPAddr))
	select {
	case err := <-ended:
		b.Close()
		return &fault{failed, err, ""}
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil {
		_ = server.Close()
	}
	<-ended
	b.Close()
	return nil
}

// printAddress prints where to look, with the token if nobody knows it yet.
func (l *boardServer) printAddress(addr *net.TCPAddr) {
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host, _ = os.Hostname()
	}
	_, port, _ := net.SplitHostPort(addr.String())
	at := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: "/"}
	if l.made {
		at.RawQuery = url.Values{"token": {l.token}}.Encode()
	}
	l.print(struct {
		URL string `json:"url"`
	}{at.String()}, func() {
		l.out.Println(screen.None, at.String())
	})
	if !addr.IP.IsLoopback() && !l.json {
		l.err.Paragraph("", "Whoever is between here and the browser can read along: it speaks no TLS. Put a proxy that does before it, or use ssh -L.")
	}
}

func (l *boardServer) config(a *audit) board.Config {
	cfg := board.Config{
		Where: l.site.where(""), Prefix: l.site.cfg.Prefix, Token: l.token, Interval: l.interval, Rate: l.rate,
		Reason: l.site.reason,
		NodeOf: func(ctx context.Context, key string) string {
			n, _ := l.site.nodeOf(ctx, key)
			return n.addr
		},
	}
	byName := map[string]*verb{}
	for _, v := range verbs {
		byName[v.name] = v
		cfg.Acts = append(cfg.Acts, board.Act{Name: v.name, Past: v.done, Will: v.will,
			Do: func(ctx context.Context, e replay.Entry) error { return v.act(l.site.engine, ctx, e) }})
	}
	var mu sync.Mutex
	cfg.Acted = func(d board.Done) error {
		mu.Lock()
		defer mu.Unlock()
		a.verb, a.reason, a.from = byName[d.Act.Name], d.Reason, d.From
		node := cfg.NodeOf(context.Background(), d.Before.Key)
		return a.write(l.program, resultOf(a.verb, d.Before, node, d.Err), d.Err)
	}
	return cfg
}
