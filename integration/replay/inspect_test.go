package replay_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// inspect is what an operator sees under the key of most tests, by its key and by its digest.
func (d *desk) inspect() replay.Entry {
	d.t.Helper()
	e, err := d.engine.Inspect(bg, rawScope, rawKey)
	if err != nil {
		d.t.Fatal(err)
	}
	same, err := d.engine.InspectDigest(bg, d.engine.Digest(rawScope, rawKey))
	if err != nil || same != e {
		d.t.Errorf("by its digest it is %+v, %v, and by its key %+v", same, err, e)
	}
	return e
}

// Each state is told from all others, with what is known of it.
func TestInspect(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		digest := d.engine.Digest(rawScope, rawKey)

		e := d.inspect()
		if e.State != replay.KeyFree || e.Key != "reprise:"+digest || e.Digest != digest || e.Remembered != 0 || e.Size != 0 || len(e.Fit()) != 0 {
			t.Errorf("free: %+v", e)
		}

		end := d.hang(request(), "done")
		time.Sleep(2 * time.Second)
		e = d.inspect()
		if e.State != replay.KeyClaimed || e.Attempt != 1 || e.Fingerprint != "1:one" || len(e.Owner) != 32 ||
			e.Left.Round(time.Second) != leaseTime-2*time.Second || e.Remembered != e.Left+day ||
			e.Age.Round(time.Second) != 2*time.Second || e.At.UnixMicro()-e.Fence != e.Age.Microseconds() || e.Size != 68 {
			t.Errorf("claimed: %+v", e)
		}
		claimed := e
		end()

		e = d.inspect()
		if e.State != replay.KeyDone || e.Fence != claimed.Fence || e.Owner != claimed.Owner || e.Fingerprint != "1:one" || e.Attempt != 0 ||
			e.Left != 0 || e.Remembered != day || e.Version != 1 || e.Sealed || e.Compressed || e.Tombstone || e.Age.Round(time.Second) != 2*time.Second {
			t.Errorf("done: %+v", e)
		}
		if value, err := d.engine.Reveal(bg, e); value != "done" || err != nil {
			t.Errorf("revealed: %v, %v", value, err)
		}

		if err := d.engine.Forget(bg, e); err != nil {
			t.Fatal(err)
		}
		crash(t, f, request())
		time.Sleep(leaseTime)
		e = d.inspect()
		if e.State != replay.KeyAbandoned || e.Attempt != 1 || e.Left != 0 || e.Remembered != day || e.Age.Round(time.Second) != leaseTime {
			t.Errorf("abandoned: %+v", e)
		}
		var unfit *replay.UnfitError
		if err := d.engine.Abandon(bg, e); !errors.As(err, &unfit) || strings.Join(unfit.Fit, " ") != "release" {
			t.Errorf("abandoned again: %v", err)
		}
		if err := d.engine.Release(bg, e); err != nil {
			t.Error(err)
		}
		d.ask(bg, request(), says("again")).wasRun(t, "again", 1)

		f.Redis.Set(e.Key, "\x00{\"foreign\": 1}")
		e = d.inspect()
		if e.State != replay.KeyForeign || e.Fault != "not a record: the value begins with byte 0x00" || e.Remembered != lock.Never || e.Size != 15 {
			t.Errorf("foreign: %+v", e)
		}
		if err := d.engine.Forget(bg, e); err != nil {
			t.Error(err)
		}
		if _, err := f.Redis.Lpush(e.Key, "x"); err != nil {
			t.Fatal(err)
		}
		e = d.inspect()
		if e.State != replay.KeyForeign || len(e.Fit()) != 0 || e.Size != 0 {
			t.Errorf("a list: %+v", e)
		}
	})
}
