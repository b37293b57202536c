package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestStatusThatIsStored(t *testing.T) {
	_, urls := startFleet(t, 1)
	for i, header := range []string{statusHeader, lateHeader} {
		key := fmt.Sprint("k", i)
		expect(t, urls[0], post(t, urls[0], key, order, header, "402"), 402, false, i)
		expect(t, urls[0], post(t, urls[0], key, order), 402, true, i)
	}
}

// Work that holds its key for too long is ended by its context, and says that it charged nothing.
func TestWorkEndsWithItsContext(t *testing.T) {
	_, urls := startFleet(t, 1, "REPRISE_LOCK_TTL=100ms", "REPRISE_LOCK_MAX_HOLD=100ms")
	expect(t, urls[0], post(t, urls[0], "k", order, delayHeader, "60s"), 503, false, 0)
}

// Work that ignores its context goes on and charges, though another request has taken its key
// meanwhile. That one finds the payment, and its answer counts.
func TestDeafWork(t *testing.T) {
	_, urls := startFleet(t, 2, "REPRISE_LOCK_TTL=300ms", "REPRISE_LOCK_MAX_HOLD=300ms", "REPRISE_REPLAY_WAIT=60s")
	for delay := time.Second; ; delay *= 2 {
		charged, answers := charges(t, urls[0]), make(chan reply, 2)
		for i := range 2 {
			go func() {
				answers <- try(urls[i], fmt.Sprint("k", delay), order, delayHeader, delay.String(), deafHeader, "1")
			}()
		}
		late, second := <-answers, <-answers
		if late.status != 409 && delay < time.Minute/2 {
			continue // the machine is so busy that the second request came too late
		}
		if late.status != 409 || late.header.Get("Retry-After") != "1" {
			t.Errorf("late: got %v, want 409", late)
		}
		expect(t, urls[0], second, 201, true, charged+1)
		if got := second.payment(t).Attempt; got != 1 {
			t.Errorf("second: charged by attempt %d, want 1", got)
		}
		return
	}
}

func TestAnswerTooLargeToKeep(t *testing.T) {
	_, urls := startFleet(t, 1)
	for i, tt := range []struct{ size, again int }{{0, 201}, {1 << 20, 201}, {1<<20 + 1, 409}} {
		key := fmt.Sprint("k", i)
		first := post(t, urls[0], key, order, sizeHeader, fmt.Sprint(tt.size))
		expect(t, urls[0], first, 201, false, i+1)
		if len(first.body) != tt.size {
			t.Errorf("got %d bytes, want %d", len(first.body), tt.size)
		}
		expect(t, urls[0], post(t, urls[0], key, order), tt.again, tt.again == 201, i+1)
	}
}

// The page on the demo's headers has each of them, with a value that is accepted.
func TestDemoPage(t *testing.T) {
	_, urls := startFleet(t, 1)
	page := get(t, strings.TrimSuffix(urls[0], "/payments")+"/demo")
	if page.status != 200 || page.body != demoHelp {
		t.Fatalf("got %v", page)
	}
	found := 0
	for line := range strings.Lines(page.body) {
		name, rest, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		value, _, _ := strings.Cut(rest, " ")
		found++
		if r := try(urls[0], fmt.Sprint("k", found), order, name, value); r.status == 400 {
			t.Errorf("%s: %s is refused: %v", name, value, r)
		}
	}
	for _, name := range []string{delayHeader, deafHeader, panicHeader, statusHeader, lateHeader, sizeHeader} {
		if !strings.Contains(page.body, "\n"+name+": ") {
			t.Errorf("%s is not on the page", name)
		}
	}
	if found != 6 {
		t.Errorf("%d headers, want 6", found)
	}
}
