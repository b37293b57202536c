package cluster

import (
	"io"
	"os"
	"os/exec"
)

// A panic in a test, go test's -timeout and a kill run no deferred call and no
// TestMain, and would leave the containers running. So a shell waits at the end
// of a pipe: released, it goes; if the pipe breaks because this process is no
// more, it removes what carries the group's label.
const watch = `
trap '' HUP INT TERM
read -r released && exit
containers=$(docker ps --all --quiet --filter "label=$1")
[ -z "$containers" ] || docker rm --force --volumes $containers
networks=$(docker network ls --quiet --filter "label=$1")
[ -z "$networks" ] || docker network rm $networks
`

type lifeline struct {
	pipe  io.WriteCloser
	shell *exec.Cmd
}

// tie starts the watcher of the group with that name. Where there is no shell
// or no docker command there is none, and Close is all the cleaning there is.
func tie(e *engine, name string) *lifeline {
	shell := exec.Command("sh", "-c", watch, "sh", Label+"="+name)
	shell.Env = append(os.Environ(), "DOCKER_HOST="+e.DaemonHost())
	pipe, err := shell.StdinPipe()
	if err != nil || shell.Start() != nil {
		return nil
	}
	return &lifeline{pipe, shell}
}

func (l *lifeline) release() {
	if l == nil {
		return
	}
	io.WriteString(l.pipe, "released\n")
	l.pipe.Close()
	l.shell.Wait()
}
