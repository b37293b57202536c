package chaos

import (
	"reflect"
	"testing"
	"time"
)

// What the scenarios count must be seen when it is there.
func TestCountSeesFaults(t *testing.T) {
	const lease = 2 * time.Second
	start := time.Now()
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	ran := func(attempt int, fence int64, from, live float64) run {
		return run{Attempt: attempt, Fence: fence, Start: at(from), Live: at(live), ended: true}
	}
	got := func(from, to float64, status int, text string) exchange {
		x := exchange{sent: at(from), got: at(to), status: status}
		switch status {
		case 201:
			x.answer = text
		default:
			x.code = text
		}
		return x
	}
	marked := func(x exchange, stored string) exchange {
		x.stored = stored
		return x
	}
	paid := func(x exchange, number int, replayed bool) exchange {
		x.payment, x.replayed = number, replayed
		return x
	}
	books := func(numbers ...int) booked { return booked{effects + "/key": numbers} }
	tooLow := ran(1, 5, 3, 4)
	tooLow.stale = true
	first, late := got(0, 1, 201, "a"), got(1, 4, 201, "a")
	cut := []window{{at(0), at(6)}}

	for name, c := range map[string]struct {
		runs      []run
		booked    booked
		exchanges []exchange
		windows   []window
		want      count
	}{
		"one run, replayed": {
			runs:      []run{ran(1, 10, 0, 1)},
			exchanges: []exchange{first, late},
			want:      count{runs: 1},
		},
		"a run that was told": {
			runs:      []run{ran(1, 10, 0, 1), ran(2, 20, 3, 4)},
			exchanges: []exchange{first},
			want:      count{runs: 2, told: 1},
		},
		"a run that was not told": {
			runs:      []run{ran(1, 10, 0, 1), ran(1, 20, 3, 4)},
			exchanges: []exchange{first},
			want:      count{runs: 2, untold: 1, duplicates: 1, unexcused: 1},
		},
		"a run that was told of the first alone": {
			runs:      []run{ran(1, 10, 0, 1), ran(2, 20, 3, 4), ran(2, 30, 5, 6)},
			exchanges: []exchange{first},
			want:      count{runs: 3, told: 1, untold: 1, duplicates: 1, unexcused: 1},
		},
		"a fence that went back": {
			runs:      []run{ran(1, 10, 0, 1), ran(2, 9, 3, 4)},
			exchanges: []exchange{first},
			want:      count{runs: 2, untold: 1, duplicates: 1, unexcused: 1},
		},
		"runs that overlap": {
			runs:      []run{ran(1, 10, 0, 3.5), ran(2, 20, 3, 4)},
			exchanges: []exchange{first},
			want:      count{runs: 2, untold: 1, duplicates: 1, unexcused: 1},
		},
		"a duplicate of what was not confirmed": {
			runs:      []run{ran(1, 10, 0, 1), ran(1, 20, 3, 4)},
			exchanges: []exchange{marked(first, "unconfirmed"), got(2, 5, 201, "b")},
			want:      count{runs: 2, untold: 1, duplicates: 1},
		},
		"a fence that was too low": {
			runs:      []run{ran(2, 10, 2, 3), tooLow},
			exchanges: []exchange{first},
			want:      count{runs: 1, turnedAway: 1},
		},
		"answers that differ": {
			runs:      []run{ran(1, 10, 0, 1)},
			exchanges: []exchange{first, got(1, 2, 201, "b"), got(1, 2, 201, "b")},
			want:      count{runs: 1, differ: 1, unexcused: 1},
		},
		"an answer that was marked as unstored": {
			runs:      []run{ran(1, 10, 0, 1)},
			exchanges: []exchange{marked(first, "false"), got(1, 2, 201, "b")},
			want:      count{runs: 1},
		},
		"a 409 while another runs": {
			runs:      []run{ran(1, 10, 0, 1)},
			exchanges: []exchange{first, got(0.5, 0.6, 409, "in-progress")},
			want:      count{runs: 1},
		},
		"a 409 in the lease of a request that was lost": {
			exchanges: []exchange{got(0, 1, 503, ""), got(1.5, 1.6, 409, "in-progress"), got(4, 8, 201, "a")},
			want:      count{errors: 1, longest: 1600 * time.Millisecond},
		},
		"a 409 for nothing": {
			exchanges: []exchange{first, got(3, 3.1, 409, "in-progress")},
			want:      count{false409: 1},
		},
		"a 409 long after a request that was lost": {
			exchanges: []exchange{got(0, 1, 503, ""), got(6, 6.1, 409, "in-progress"), got(7, 8, 201, "a")},
			want:      count{errors: 1, false409: 1, longest: 6100 * time.Millisecond},
		},
		"a 409 that a request delayed by the fault may have caused": {
			exchanges: []exchange{got(0, 1, 503, ""), got(6, 6.1, 409, "in-progress"), got(7, 8, 201, "a")},
			windows:   cut,
			want:      count{errors: 1, longest: 6100 * time.Millisecond},
		},
		"an answer that this API does not give": {
			exchanges: []exchange{got(0, 1, 500, "unreadable"), got(1, 2, 409, "outcome-unknown"), got(1, 2, 422, "reused")},
			want:      count{unexpected: 3},
		},
		"a run without a claim": {
			runs:      []run{ran(1, 10, 0, 1), ran(0, 0, 3, 4)},
			exchanges: []exchange{first},
			want:      count{runs: 2, untold: 1, duplicates: 1, unexcused: 1},
		},
		"one payment, whatever ran": {
			runs:      []run{ran(1, 10, 0, 3.5), ran(1, 20, 3, 4)},
			booked:    books(7),
			exchanges: []exchange{paid(first, 7, false), paid(marked(late, "false"), 7, true)},
			want:      count{runs: 2, untold: 1, payments: 1},
		},
		"two payments, although the second run was told": {
			runs:      []run{ran(1, 10, 0, 1), ran(2, 20, 3, 4)},
			booked:    books(7, 8),
			exchanges: []exchange{paid(first, 7, false)},
			want:      count{runs: 2, told: 1, payments: 2, duplicates: 1, unexcused: 1},
		},
		"an answer that differs, although it was marked": {
			runs:      []run{ran(1, 10, 0, 1)},
			booked:    books(7),
			exchanges: []exchange{paid(first, 7, false), paid(marked(got(1, 2, 201, "b"), "false"), 7, true)},
			want:      count{runs: 1, payments: 1, differ: 1, unexcused: 1},
		},
		"an answer without a payment": {
			runs:      []run{ran(1, 10, 0, 1)},
			booked:    books(),
			exchanges: []exchange{paid(first, 7, false)},
			want:      count{runs: 1, unbooked: 1},
		},
		"an answer of a payment that was repeated, unmarked": {
			runs:      []run{ran(1, 10, 0, 1), ran(2, 20, 3, 4)},
			booked:    books(7),
			exchanges: []exchange{paid(first, 7, false), paid(late, 7, false)},
			want:      count{runs: 2, told: 1, payments: 1, unmarked: 1},
		},
	} {
		var got count
		got.add(&history{key: "key", exchanges: c.exchanges}, c.runs, c.booked, lease, c.windows)
		c.want.keys, c.want.requests, got.notes = 1, len(c.exchanges), nil
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, c.want)
		}
	}
}

// What a process believed of its leases when it had been stopped and was woken counts for nothing.
func TestLedgerForgetsWhatAStoppedProcessBelieved(t *testing.T) {
	l := newLedger(t)
	start := time.Now()
	entry := run{Key: "k", Machine: "m", Attempt: 1, Fence: 10, Start: start}
	if got, err := enter(t.Context(), l.server.URL+"/begin", entry); err != nil || !got.Done {
		t.Fatalf("%+v, %v", got, err)
	}
	l.stopped("m", start.Add(time.Second), start.Add(4*time.Second))
	if _, err := enter(t.Context(), l.server.URL+"/end", ending{1, start.Add(5 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	if runs := l.of("k"); len(runs) != 1 || !runs[0].Live.Equal(start.Add(time.Second)) {
		t.Errorf("%+v", runs)
	}
	entry.Fence = 9
	if got, err := enter(t.Context(), l.server.URL+"/begin", entry); err != nil || got.Done {
		t.Errorf("a lower fence took effect: %+v, %v", got, err)
	}
	entry.Fence = 0
	if got, err := enter(t.Context(), l.server.URL+"/begin", entry); err != nil || !got.Done {
		t.Errorf("a run without a claim was turned away: %+v, %v", got, err)
	}
}
