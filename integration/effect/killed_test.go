package effect_test

import (
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/database"
	"github.com/reprise-go/reprise/replay"
)

// What is true after a process was killed at each point.
var killed = []struct {
	at   point
	fate database.Fate // of the COMMIT, at COMMIT
	done bool          // the effect had been done
}{
	{at: beforeInsert},
	{at: afterInsert},
	{at: afterWrite},
	{at: atCommit, fate: database.Undelivered},
	{at: atCommit, fate: database.Unanswered, done: true},
	{at: afterCommit, done: true},
}

func TestProcessKilled(t *testing.T) {
	onEach(t, func(w *world) {
		for _, tc := range killed {
			if w.db.Dialect == database.SQLite && tc.at == atCommit && tc.done {
				continue // there is no server that could carry it out
			}
			name := string(tc.at)
			if tc.at == atCommit {
				name += map[database.Fate]string{database.Undelivered: ", undelivered", database.Unanswered: ", unanswered"}[tc.fate]
			}
			w.Run(name, func(t *testing.T) {
				w := newWorld(t, database.New(t, w.db.Dialect))
				w.killAt(tc.at, tc.fate)

				// Until its lease has run out, nobody else runs.
				m := w.machine()
				if _, _, err := w.do(m, "k"); replay.OutcomeOf(err) != replay.InProgress {
					w.Errorf("while the lease lasts: %v", err)
				}
				w.redis.FastForward(15 * time.Second)
				got, result, err := w.do(m, "k")
				w.want(w.charged("k"), got, err)
				if result.Attempt != 2 || result.Repeated != tc.done {
					w.Errorf("the next attempt's result is %+v", result)
				}
				replayed, result, err := w.do(w.machine(), "k")
				w.want(got, replayed, err)
				if !result.Replayed {
					w.Errorf("the result after that is %+v", result)
				}
			})
		}
	})
}

// killAt has a process charge under the key k, and kills it at a point.
func (w *world) killAt(at point, fate database.Fate) {
	w.Helper()
	o := order{Source: w.db.Source, Key: "k", Stop: at}
	if at != atCommit || w.db.Dialect == database.SQLite {
		v := w.start(o)
		defer v.kill()
		w.await("it gets there", v.reached)
		return
	}
	proxy := w.db.Proxy(w)
	o.Source, o.Stop = proxy.Source, ""
	caught := proxy.Catch(fate)
	v := w.start(o)
	select {
	case cut := <-caught:
		v.kill()
		cut()
	case <-w.bounded().Done():
		w.Error("it sent no COMMIT")
		v.kill()
	}
}
