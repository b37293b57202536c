package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/user"
	"time"
)

// An audit tells who did what to which key.
type audit struct {
	verb         *verb
	path, reason string
	from         string // the address of whom the board was asked by

	file *os.File // nil: standard error alone
}

// open opens the file before anything is done: what can't be told isn't done.
func (a *audit) open() (err error) {
	if a.path != "" {
		a.file, err = os.OpenFile(a.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	}
	return err
}

func (a *audit) close() {
	if a.file != nil {
		_ = a.file.Close()
	}
}

// write writes the line: first to the file, because standard error may be a pipe that has closed, at
// which the program ends. The error is that of either, if it could not be written.
func (a *audit) write(p *program, done act, err error) error {
	attrs := []slog.Attr{
		slog.String("operator", operator()),
		slog.String("verb", done.Verb),
		slog.String("digest", done.Before.Digest),
		slog.String("result", done.Result),
		slog.Group("before", slog.String("state", done.Before.State), slog.Int("attempt", done.Before.Attempt),
			slog.Int64("fence", done.Before.Fence), slog.String("owner", done.Before.Owner),
			slog.Int64("age_ms", done.Before.Age), slog.String("mark", done.Before.Mark)),
	}
	if done.Now != nil {
		attrs = append(attrs, slog.Group("now", slog.String("state", done.Now.State), slog.Int("attempt", done.Now.Attempt),
			slog.Int64("fence", done.Now.Fence), slog.String("owner", done.Now.Owner)))
	} else if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	if a.from != "" {
		attrs = append(attrs, slog.String("from", a.from))
	}
	if a.reason != "" {
		attrs = append(attrs, slog.String("reason", a.reason))
	}
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "reprise: operator", 0)
	line.AddAttrs(attrs...)
	var lost error
	if a.file != nil {
		lost = slog.NewJSONHandler(safe{a.file}, nil).Handle(context.Background(), line)
		_ = a.file.Sync()
	}
	return errors.Join(lost, slog.NewJSONHandler(safe{p.err}, nil).Handle(context.Background(), line))
}

// operator is who runs the program, and where.
func operator() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if by := os.Getenv("SUDO_USER"); by != "" {
		name = by + " as " + name
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
