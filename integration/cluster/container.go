package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// Container is a server in a container. It is paused, killed and started again.
type Container struct {
	Name        string // "node-0" and so on
	ContainerID string

	group *group
	port  network.Port

	mu        sync.Mutex
	published string // a restart changes it
	state     state
}

type state int

const (
	running state = iota
	paused
	dead
)

// Published is the loopback address that leads to the server from here.
func (c *Container) Published() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.published
}

// Pause freezes the server as a long stop of the machine would: connections stay open and nothing
// answers.
func (c *Container) Pause(ctx context.Context) error {
	_, err := c.group.engine.ContainerPause(ctx, c.ContainerID, client.ContainerPauseOptions{})
	return c.becomes(paused, "pause", err)
}

// Unpause lets a paused server go on where it was.
func (c *Container) Unpause(ctx context.Context) error {
	_, err := c.group.engine.ContainerUnpause(ctx, c.ContainerID, client.ContainerUnpauseOptions{})
	return c.becomes(running, "unpause", err)
}

// Kill ends the server at once (SIGKILL). What it wrote to files is there after a Restart.
func (c *Container) Kill(ctx context.Context) error {
	_, err := c.group.engine.ContainerKill(ctx, c.ContainerID, client.ContainerKillOptions{Signal: "SIGKILL"})
	return c.becomes(dead, "kill", err)
}

// Restart starts a killed server again, which may have another address then. It does not wait until
// the server answers.
func (c *Container) Restart(ctx context.Context) error {
	_, err := c.group.engine.ContainerStart(ctx, c.ContainerID, client.ContainerStartOptions{})
	if err == nil {
		_, err = c.locate(ctx)
	}
	return c.becomes(running, "restart", err)
}

func (c *Container) becomes(s state, verb string, err error) error {
	if err != nil {
		return c.wrap(verb, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = s
	return nil
}

// reachable spares callers the wait for a server that we stopped ourselves.
func (c *Container) reachable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != running {
		return c.wrap("reach", errors.New("it is paused or dead"))
	}
	return nil
}

// Answers waits until ping, which asks the server for something, returns nil; but not for a
// container that has ended.
func (c *Container) Answers(ctx context.Context, ping func(context.Context) error) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	err := Eventually(ctx, c.Name+" answers", func(ctx context.Context) error {
		err := ping(ctx)
		if err == nil {
			return nil
		}
		found, inspectErr := c.group.engine.ContainerInspect(ctx, c.ContainerID, client.ContainerInspectOptions{})
		if inspectErr == nil && !found.Container.State.Running {
			giveUp(errors.New("the container has ended"))
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("%w%s", err, c.lastWords(ctx))
	}
	return err
}

// lastWords are the last lines that the container has logged, for the end of an
// error: the server of another image may have refused an option of ours. They
// are also there when ctx has ended.
func (c *Container) lastWords(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	logged, err := c.group.engine.ContainerLogs(ctx, c.ContainerID, client.ContainerLogsOptions{
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

func (c *Container) dial(ctx context.Context) (net.Conn, error) {
	c.mu.Lock()
	state, addr := c.state, c.published
	c.mu.Unlock()
	if state == dead {
		// The engine may have given its port to another container by now.
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}

// locate learns from the engine where the server's port is published, and returns what else it says.
func (c *Container) locate(ctx context.Context) (*container.InspectResponse, error) {
	found, err := c.group.engine.ContainerInspect(ctx, c.ContainerID, client.ContainerInspectOptions{})
	if err != nil {
		return nil, c.wrap("inspect", err)
	}
	bindings := found.Container.NetworkSettings.Ports[c.port]
	if len(bindings) == 0 {
		return nil, c.noAddress(ctx, &found.Container)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.published = net.JoinHostPort(c.group.engine.host, bindings[0].HostPort)
	return &found.Container, nil
}

func (c *Container) noAddress(ctx context.Context, found *container.InspectResponse) error {
	return c.wrap("inspect", fmt.Errorf("no address: the container is %s%s", found.State.Status, c.lastWords(ctx)))
}

func (c *Container) wrap(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cluster: %s %s: %w", verb, c.Name, err)
}
