package chaos

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
)

// breaks notes a fault that has to do with these nodes, or with none, from now on until heal.
func (f *fleet) breaks(nodes ...*cluster.Node) (heal func()) {
	from := time.Now()
	for _, n := range nodes {
		f.lossy = append(f.lossy, f.slotsOf(n)...)
	}
	return func() { f.windows = append(f.windows, window{from, time.Now()}) }
}

// log tells when a step of a fault was taken, beside the times of what is logged of requests.
func (f *fleet) log(format string, args ...any) {
	f.t.Helper()
	f.t.Logf("%s "+format, append([]any{time.Now().Format("15:04:05.000")}, args...)...)
}

// slotsOf are the slots that a node serves now.
func (f *fleet) slotsOf(n *cluster.Node) (ranges [][2]int) {
	f.t.Helper()
	//lint:ignore SA1019 CLUSTER SLOTS is what go-redis itself goes by.
	slots, err := n.Client().ClusterSlots(f.t.Context()).Result()
	must(f.t, err)
	for _, s := range slots {
		if s.Nodes[0].ID == n.ID {
			ranges = append(ranges, [2]int{s.Start, s.End})
		}
	}
	return ranges
}

// durable is what must hold after a failover. In acked mode nothing is forgotten that a replica
// confirmed, and clients know of the rest. By default what the replica had not received is: but that
// is at the nodes that failed, and nowhere else.
func (f *fleet) durable(t *testing.T, l *load, r row) {
	t.Helper()
	switch l.mode.Name {
	case effects: // as always: see report
		return
	case "acked":
		if r.count.unexcused > 0 {
			t.Errorf("%d duplicate effects or answers that differ, although a replica had confirmed", r.count.unexcused)
		}
		return
	}
	sound := count{}
	for _, h := range l.keys {
		if !f.mayLose(l.mode, h.key) {
			sound.add(h, f.ledger.of(l.mode.Name+"/"+h.key), nil, time.Hour, nil)
		}
	}
	if sound.duplicates > 0 || sound.differ > 0 {
		t.Errorf("%d duplicate effects and %d answers that differ, at nodes that have not failed", sound.duplicates, sound.differ)
	}
}

func (f *fleet) mayLose(m mode, key string) bool {
	slot := cluster.Slot(f.redisKey(m, key))
	for _, r := range f.lossy {
		if r[0] <= slot && slot <= r[1] {
			return true
		}
	}
	return false
}

// redisKey is the Redis key of a request: its scope, framed by its length, and its key, hashed.
func (f *fleet) redisKey(m mode, key string) string {
	const scope = "" // httpadapter.GlobalScope
	b := binary.BigEndian.AppendUint64(nil, uint64(len(scope)))
	b = append(append(append(b, scope...), 0), key...)
	sum := sha256.Sum256(b)
	return f.prefix + "-" + m.Name + ":" + hex.EncodeToString(sum[:])
}

// keysLike makes new keys that the node of a Redis key serves.
func (f *fleet) keysLike(m mode, name, like string) func() string {
	slots := f.slotsOf(f.homeOf(f.t.Context(), like))
	i := 0
	return func() string {
		for {
			i++
			key := fmt.Sprintf("%s-%d", name, i)
			slot := cluster.Slot(f.redisKey(m, key))
			for _, r := range slots {
				if r[0] <= slot && slot <= r[1] {
					return key
				}
			}
		}
	}
}
