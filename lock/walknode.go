package lock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/internal/fault"
)

// errRestarted: a cursor means nothing to another process, whose hash table has another order.
var errRestarted = errors.New("it has restarted, or another has taken over")

// node walks one node from the first key to the last. A key that can't be looked at, such as one that is
// being moved to this node from one that has died, keeps no other from being seen.
func (w *walk) node(ctx context.Context, addr string, node *redis.Client) error {
	before, err := w.server.process(ctx, node, triesOf(w.silent[addr]))
	if err != nil {
		return err
	}
	var missed error
	left, most := cmp.Or(w.scan.Sample, math.MaxInt), w.progress.Walked+w.sizes[addr]
	for cursor := uint64(0); ; {
		if !w.pace.wait(ctx, stepKeys) {
			return context.Cause(ctx)
		}
		var p page
		var isPart bool // err is of some of its keys, and not of all
		err := again(ctx, maxStepTries, func() (err error) {
			isPart = false
			if p, err = w.server.page(ctx, node, cursor, w.match); err != nil {
				return err
			}
			p.keys = p.keys[:min(len(p.keys), left)]
			isPart, err = w.report(ctx, addr, p.keys)
			if isPart && missed != nil && ctx.Err() == nil {
				return nil // this walk won't be the last one anyway
			}
			return err
		})
		if err != nil && !(isPart && ctx.Err() == nil) {
			return err
		}
		missed = cmp.Or(missed, err)
		left -= len(p.keys)
		w.progress.Walked = min(w.progress.Walked+stepKeys, most)
		w.tellProgress(addr)
		if cursor = p.next; cursor == 0 || left == 0 {
			break
		}
	}
	after, err := w.server.process(ctx, node, maxStepTries)
	if err == nil && after != before {
		err = fmt.Errorf("%w: %w", ErrUnavailable, errRestarted)
	}
	return cmp.Or(err, missed)
}

// again does a step of a walk, and tries it again if it has no reply, or one that is soon another. A broken
// connection, a node that stalls for a moment, or the election of another primary costs no more than that
// step: a cursor stays good as long as its process lives.
func again(ctx context.Context, tries int, step func() error) error {
	for try := 1; ; try++ {
		err := step()
		isFinal := err == nil || err == errBroken || fault.Refused(err) && !isTransient(err)
		if isFinal || try == tries || !pause(ctx, reloadEvery) {
			return err
		}
	}
}

// triesOf is how often a node is asked: once, if it did not answer when it was last asked for the layout.
func triesOf(silent error) int {
	if silent != nil {
		return 1
	}
	return maxStepTries
}

// process tells one process of Redis from another at the same address.
func (s *server) process(ctx context.Context, node *redis.Client, tries int) (id string, err error) {
	err = again(ctx, tries, func() (err error) {
		id, err = askNode(ctx, s, node, func(ctx context.Context) (string, error) {
			text, err := node.Info(ctx).Result()
			return parseInfo(text)["run_id"], err
		})
		return err
	})
	return id, err
}

// report looks at keys, and reports those that are wanted and have not been reported. Beside an error,
// isPart tells that it concerns only some of the keys.
func (w *walk) report(ctx context.Context, addr string, keys []string) (isPart bool, err error) {
	unknown := slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		_, known := w.reported[w.digest(key)]
		return known
	})
	sights, err := w.server.look(ctx, unknown, w.head)
	isPart = len(unknown)-len(sights) < len(keys)
	w.progress.Seen += int64(len(sights))
	for _, s := range sights {
		d := w.digest(s.Key)
		_, known := w.reported[d] // SCAN may give a key twice in one step
		if s.Node = addr; known || s.Standing == Free || w.scan.Want != nil && !w.scan.Want(s) {
			continue
		}
		if len(w.reported) < maxReported {
			w.reported[d] = struct{}{}
		}
		if !w.yield(s, nil) {
			return false, errBroken
		}
	}
	return isPart, err
}

func (w *walk) digest(key string) digest {
	return digest{maphash.String(w.seeds[0], key), maphash.String(w.seeds[1], key)}
}
