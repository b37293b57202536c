package cluster

import (
	"context"
	"errors"

	"github.com/moby/moby/api/types/network"
)

// ServerSpec says what runs in the container of a [Server].
type ServerSpec struct {
	Name    string // of the container, after its group's
	Image   string
	User    string // whom the server runs as; empty means the image's own
	Port    string // that it listens on, such as "5432/tcp"
	Command []string
}

// Server is one server of any kind in a container of its own.
type Server struct{ *Container }

// StartServer starts a server, and does not wait until it answers: see [Container.Answers]. The
// caller closes it.
func StartServer(ctx context.Context, spec ServerSpec) (*Server, error) {
	port, err := network.ParsePort(spec.Port)
	if err != nil {
		return nil, err
	}
	g, err := newGroup(ctx, spec.Image)
	if err != nil {
		return nil, err
	}
	c, err := g.launch(ctx, spec, port)
	if err == nil {
		_, err = c.locate(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, g.close(ctx))
	}
	return &Server{c}, nil
}

// Close removes the container.
func (s *Server) Close(ctx context.Context) error { return s.group.close(ctx) }
