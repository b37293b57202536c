package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tcnetwork "github.com/testcontainers/testcontainers-go/network"
)

// Label is carried by every container and network of this package. Its value
// is the name of the group that they belong to. What an unlucky run left behind
// is listed by
//
//	docker ps --all --filter label=reprise.group
const Label = "reprise.group"

// redisPort is the port that every Redis listens on in its container.
var redisPort = network.MustParsePort("6379/tcp")

// group is what one Start puts on the engine: containers on a network of their
// own, which come and go together.
type group struct {
	engine   *engine
	name     string // of the network; begins the containers' names
	lifeline *lifeline

	mu      sync.Mutex
	hasDoor bool
}

func newGroup(ctx context.Context, image string) (*group, error) {
	engine, err := ready(ctx, image)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	name := "reprise-" + strings.ToLower(rand.Text()[:8])
	g := &group{engine: engine, name: name, lifeline: tie(engine, name)}
	if _, err := engine.NetworkCreate(ctx, name, client.NetworkCreateOptions{Labels: g.labels()}); err != nil {
		return nil, errors.Join(fmt.Errorf("cluster: create network: %w", err), g.close(ctx))
	}
	return g, nil
}

func (g *group) labels() map[string]string {
	labels := map[string]string{Label: g.name}
	testcontainers.AddGenericLabels(labels) // by which the reaper, where it is on, finds its own
	return labels
}

// serve becomes the image's server, with the shell's arguments: Redis calls it redis-server, and
// Valkey, which may or may not have that name too, valkey-server.
const serve = `
server=$(command -v redis-server || command -v valkey-server) ||
	{ echo "the image has neither redis-server nor valkey-server" >&2; exit 127; }
exec "$server" "$@"`

// run starts a server with args and learns where it can be reached.
func (g *group) run(ctx context.Context, name string, args ...string) (*Node, error) {
	return g.start(ctx, name, server(args...)...)
}

// server is the command of a server with args.
func server(args ...string) []string {
	return append([]string{"sh", "-c", serve, "sh", "--protected-mode", "no"}, args...)
}

// start is run for another command.
func (g *group) start(ctx context.Context, name string, command ...string) (*Node, error) {
	c, err := g.launch(ctx, ServerSpec{Name: name, Image: Image(), Command: command}, redisPort)
	if err != nil {
		return nil, err
	}
	return newNode(ctx, c)
}

// launch starts what spec says; port is its Port.
func (g *group) launch(ctx context.Context, spec ServerSpec, port network.Port) (*Container, error) {
	ctr, err := testcontainers.Run(ctx, spec.Image,
		testcontainers.WithName(g.name+"-"+spec.Name),
		testcontainers.WithLabels(g.labels()),
		testcontainers.WithConfigModifier(func(config *container.Config) { config.User = spec.User }),
		testcontainers.WithCmd(spec.Command...),
		testcontainers.WithExposedPorts(port.String()),
		testcontainers.WithHostConfigModifier(func(config *container.HostConfig) { g.publish(config, port) }),
		tcnetwork.WithNetworkName(nil, g.name),
	)
	if err != nil {
		return nil, fmt.Errorf("cluster: start %s: %w", spec.Name, err)
	}
	return &Container{Name: spec.Name, ContainerID: ctr.GetContainerID(), group: g, port: port}, nil
}

// publish keeps a server without a password off every address but loopback,
// unless the engine is on another machine.
func (g *group) publish(config *container.HostConfig, port network.Port) {
	if host, err := netip.ParseAddr(g.engine.host); err == nil && host.IsLoopback() {
		config.PortBindings = network.PortMap{port: {{HostIP: host}}}
	}
}

// close removes all that carries the group's label, also what a failed or
// cancelled start left half made, and also when ctx has ended.
func (g *group) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()

	label := make(client.Filters).Add("label", Label+"="+g.name)
	containers, err := g.engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: label})
	errs := []error{err}
	removed := make(chan error)
	for _, c := range containers.Items {
		go func() {
			_, err := g.engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			removed <- err
		}()
	}
	for range containers.Items {
		errs = append(errs, <-removed)
	}
	networks, err := g.engine.NetworkList(ctx, client.NetworkListOptions{Filters: label})
	errs = append(errs, err)
	for _, n := range networks.Items {
		_, err := g.engine.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cluster: clean up %s: %w", g.name, err) // the lifeline will try again
	}
	g.lifeline.release()
	return nil
}
