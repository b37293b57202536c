package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
	"github.com/redis/go-redis/v9"
)

// Node is one Redis in its container.
type Node struct {
	Name        string // "node-0" and so on
	ContainerID string
	ID          string // what the cluster calls the node (CLUSTER MYID)

	group  *group
	client *redis.Client

	mu        sync.Mutex
	announced netip.AddrPort
	published string // a restart changes it
	state     state
}

type state int

const (
	running state = iota
	paused
	dead
)

func newNode(ctx context.Context, g *group, name, containerID string) (*Node, error) {
	n := &Node{Name: name, ContainerID: containerID, group: g}
	if err := n.locate(ctx); err != nil {
		return nil, err
	}
	n.client = redis.NewClient(&redis.Options{
		Addr:                  name,
		Dialer:                func(ctx context.Context, _, _ string) (net.Conn, error) { return n.dial(ctx) },
		DialerRetries:         1,                // who waits for a node polls it
		ReadTimeout:           10 * time.Second, // MIGRATE is slow
		ContextTimeoutEnabled: true,
	})
	return n, nil
}

// Announced is the address that the node has for the other nodes, and that it
// tells clients in a redirect: the container's own.
func (n *Node) Announced() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.announced.String()
}

// Published is the loopback address that leads to the node from here.
func (n *Node) Published() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.published
}

// Client talks to this node and to no other, whatever role it has; it follows
// no redirects. All callers share it, and the cluster closes it.
func (n *Node) Client() *redis.Client { return n.client }

// Pause freezes the node as a long stop of the machine would: connections stay
// open and nothing answers.
func (n *Node) Pause(ctx context.Context) error {
	_, err := n.group.engine.ContainerPause(ctx, n.ContainerID, client.ContainerPauseOptions{})
	return n.becomes(paused, "pause", err)
}

// Unpause lets a paused node go on where it was.
func (n *Node) Unpause(ctx context.Context) error {
	_, err := n.group.engine.ContainerUnpause(ctx, n.ContainerID, client.ContainerUnpauseOptions{})
	return n.becomes(running, "unpause", err)
}

// Kill ends the node at once (SIGKILL). Its data is lost: nothing is persisted.
func (n *Node) Kill(ctx context.Context) error {
	_, err := n.group.engine.ContainerKill(ctx, n.ContainerID, client.ContainerKillOptions{Signal: "SIGKILL"})
	return n.becomes(dead, "kill", err)
}

// Restart starts a killed node again, empty but with its place in the cluster,
// and returns when it answers. Its addresses may have changed.
func (n *Node) Restart(ctx context.Context) error {
	_, err := n.group.engine.ContainerStart(ctx, n.ContainerID, client.ContainerStartOptions{})
	if err == nil {
		err = n.locate(ctx)
	}
	if err := n.becomes(running, "restart", err); err != nil {
		return err
	}
	return n.answers(ctx)
}

func (n *Node) becomes(s state, verb string, err error) error {
	if err != nil {
		return n.wrap(verb, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state = s
	return nil
}

// reachable spares callers the wait for a node that we stopped ourselves.
func (n *Node) reachable() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state != running {
		return n.wrap("reach", errors.New("it is paused or dead"))
	}
	return nil
}

// answers waits for that, but not for a container that has ended.
func (n *Node) answers(ctx context.Context) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	err := Eventually(ctx, n.Name+" answers", func(ctx context.Context) error {
		err := n.client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		found, inspectErr := n.group.engine.ContainerInspect(ctx, n.ContainerID, client.ContainerInspectOptions{})
		if inspectErr == nil && !found.Container.State.Running {
			giveUp(errors.New("the container has ended"))
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("%w%s", err, n.lastWords(ctx))
	}
	return err
}

// lastWords are the last lines that the container has logged, for the end of an
// error: the server of another image may have refused an option of ours. They
// are also there when ctx has ended.
func (n *Node) lastWords(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	logged, err := n.group.engine.ContainerLogs(ctx, n.ContainerID, client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: "5",
	})
	if err != nil {
		return ""
	}
	defer logged.Close()
	var lines strings.Builder
	if _, err := stdcopy.StdCopy(&lines, &lines, logged); err != nil || lines.Len() == 0 {
		return ""
	}
	return "; its last words:\n" + lines.String()
}

func (n *Node) dial(ctx context.Context) (net.Conn, error) {
	n.mu.Lock()
	state, addr := n.state, n.published
	n.mu.Unlock()
	if state == dead {
		// The engine may have given its port to another container by now.
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}

// locate learns the node's addresses from the engine.
func (n *Node) locate(ctx context.Context) error {
	found, err := n.group.engine.ContainerInspect(ctx, n.ContainerID, client.ContainerInspectOptions{})
	if err != nil {
		return n.wrap("inspect", err)
	}
	settings := found.Container.NetworkSettings
	own, bindings := settings.Networks[n.group.name], settings.Ports[redisPort]
	isolated := own == nil && settings.Networks[n.group.door()] != nil
	if !isolated && (own == nil || !own.IPAddress.IsValid()) || len(bindings) == 0 {
		return n.wrap("inspect", fmt.Errorf("no address: the container is %s%s", found.Container.State.Status, n.lastWords(ctx)))
	}

	n.mu.Lock()
	defer n.mu.Unlock()
	if !isolated { // else it still announces the address that it had
		n.announced = netip.AddrPortFrom(own.IPAddress, redisPort.Num())
	}
	n.published = net.JoinHostPort(n.group.engine.host, bindings[0].HostPort)
	return nil
}

// endpoint is Announced in two parts, as MEET and MIGRATE want it.
func (n *Node) endpoint() (host, port string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.announced.Addr().String(), strconv.Itoa(int(n.announced.Port()))
}

func (n *Node) wrap(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cluster: %s %s: %w", verb, n.Name, err)
}
