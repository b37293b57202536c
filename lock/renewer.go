package lock

import (
	"container/heap"
	"sync"
	"time"
)

// A renewer extends the leases of one Locker and notices those that are lost. It is one timer, set
// for the lease that needs attention next, and no goroutine: measured, a parked timer costs 117 B
// and a parked goroutine 949 B, and a lease that ends within a third of its time needs neither.
type renewer struct {
	cfg   Config
	store store
	log   leaseLog

	mu     sync.Mutex
	leases leaseHeap
	timer  *time.Timer
	alarm  time.Time // when the timer fires; zero when it isn't set
}

func (r *renewer) add(l *Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.schedule()
	heap.Push(&r.leases, l)
	r.arm()
}

// remove takes a lease out. The timer stays set: an alarm for nothing once in a while is cheaper
// than setting it again for each short request.
func (r *renewer) remove(l *Lease, s State) {
	r.mu.Lock()
	from, held := r.drop(l, s)
	r.mu.Unlock()
	if held {
		r.cfg.Trace.ended(l, from, s)
	}
}

// drop is remove for a caller who holds mu, and who tells Trace of the end of a lease that was held.
func (r *renewer) drop(l *Lease, s State) (from State, held bool) {
	from, held = l.State(), l.index >= 0
	l.setState(s)
	l.given = l.given || s == Ended
	if held {
		heap.Remove(&r.leases, l.index)
	}
	return from, held
}

// arm sets the timer if it would be late for the first lease. The caller holds mu.
func (r *renewer) arm() {
	if len(r.leases) == 0 {
		return
	}
	first := r.leases[0].next
	if !r.alarm.IsZero() && !first.Before(r.alarm) {
		return
	}
	r.alarm = first
	if r.timer == nil {
		r.timer = time.AfterFunc(time.Until(first), r.tick)
	} else {
		r.timer.Reset(time.Until(first))
	}
}

// tick attends to every lease that is due: it ends those that are lost or held too long, and
// renews the rest in one batch.
func (r *renewer) tick() {
	var lost, over, due []*Lease
	var wasLost []State // each one's, before it was lost
	r.mu.Lock()
	r.alarm = time.Time{}
	now := time.Now()
	soon := now.Add(r.cfg.Renew / 8)
attend:
	for len(r.leases) > 0 {
		l := r.leases[0]
		switch {
		case remaining(l.until, now) <= 0:
			heap.Pop(&r.leases)
			lost, wasLost = append(lost, l), append(wasLost, l.State())
			l.setState(Lost)
			continue
		case !l.holdEnd.IsZero() && !now.Before(l.holdEnd):
			l.holdEnd, l.renewAt = time.Time{}, time.Time{}
			over = append(over, l)
		case !l.renewAt.IsZero() && (!now.Before(l.renewAt) || len(due) > 0 && l.renewAt.Before(soon)):
			// Whoever is due soon comes along, so that leases taken one by one end up in a
			// pipeline. While a renewal is under way its lease stays in the heap, due when it
			// runs out: a Redis that hangs must not put that off.
			l.renewAt = time.Time{}
			due = append(due, l)
		default:
			break attend
		}
		l.schedule()
		heap.Fix(&r.leases, 0)
	}
	r.arm()
	r.mu.Unlock()

	for i, l := range lost {
		r.report(l, wasLost[i], Lost, ErrLost)
	}
	for _, l := range over {
		l.cancel(ErrMaxHold)
	}
	r.renew(due)
}

// renew renews leases at once, and settles each when its node has answered.
func (r *renewer) renew(due []*Lease) {
	if len(due) == 0 {
		return
	}
	begun, until := time.Now(), due[0].until
	grants := make([]*grant, len(due))
	for i, l := range due {
		grants[i] = l.grant
		if l.until.Before(until) { // nobody changes it while its renewal is under way
			until = l.until
		}
	}
	r.store.renew(grants, until, func(i int, got renewal) { r.settleRenewal(due[i], begun, got) })
}

// settleRenewal gives a lease the state that follows from its renewal, which was begun at a time.
func (r *renewer) settleRenewal(l *Lease, begun time.Time, got renewal) {
	r.mu.Lock()
	was, held := l.State(), l.index >= 0
	undecided := got.foreign && l.grant.openCommits.Load() > 0
	switch {
	case !held:
		// Ended while the renewal was on its way, which then found nothing to renew.
	case !got.until.IsZero():
		l.setState(Live)
		l.until = got.until
		if last := l.lastEnd.Add(-drift(r.cfg.TTL)); last.Before(l.until) {
			l.until = last
		}
		l.renewAt = time.Now().Add(r.cfg.Renew)
	case undecided:
		// It may have found what our own commit has put there, whose answer decides.
		l.renewAt = time.Now().Add(r.cfg.Renew / 4)
	case got.foreign:
		l.setState(Lost)
		heap.Remove(&r.leases, l.index)
	default:
		l.setState(Suspended)
		l.renewAt = begun.Add(r.cfg.Renew / 4) // at once, if the failure took as long
	}
	if l.index >= 0 {
		if l.holdEnd.IsZero() {
			l.renewAt = time.Time{} // held too long meanwhile
		}
		l.schedule()
		heap.Fix(&r.leases, l.index)
		r.arm()
	}
	is := l.State()
	r.mu.Unlock()

	if held && !undecided {
		r.cfg.Trace.renewed(l, got.fault())
	}
	if is != was {
		r.report(l, was, is, got.err)
	}
}

// report tells the holder, and whoever traces, that the lease changed state.
func (r *renewer) report(l *Lease, from, to State, err error) {
	if to == Lost {
		l.cancel(ErrLost)
	}
	r.log.state(l, to, err)
	r.cfg.Trace.changed(l, from, to, err)
}

// setState is for a caller who holds the renewer's mutex.
func (l *Lease) setState(s State) { l.grant.state.Store(uint32(s)) }

// schedule finds when the lease next needs attention. The caller holds the renewer's mutex.
func (l *Lease) schedule() {
	l.next = l.until
	for _, t := range [...]time.Time{l.holdEnd, l.renewAt} {
		if !t.IsZero() && t.Before(l.next) {
			l.next = t
		}
	}
}

// leaseHeap orders leases by next.
type leaseHeap []*Lease

func (h leaseHeap) Len() int           { return len(h) }
func (h leaseHeap) Less(i, j int) bool { return h[i].next.Before(h[j].next) }
func (h leaseHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *leaseHeap) Push(x any) {
	l := x.(*Lease)
	l.index = len(*h)
	*h = append(*h, l)
}

func (h *leaseHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	l.index = -1
	return l
}
