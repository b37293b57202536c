package main

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"strings"
)

// hello says what serves where, and what to try.
func (f *fleet) hello() string {
	redis, run := "an embedded Redis", ""
	if f.redis == nil {
		redis = "the Redis of " + prefix + "REDIS_URL"
		run = "-" + rand.Text()[:6] // that one remembers the keys of earlier runs
	}
	urls := make([]string, len(f.replicas))
	for i, r := range f.replicas {
		urls[i] = "http://" + reachable(r.listener.Addr()) + "/payments"
	}
	first, last := urls[0], urls[len(urls)-1] // a retry may well get to another machine

	var b strings.Builder
	fmt.Fprintf(&b, "Serving %s over %s.\n", strings.Join(urls, ", "), redis)
	if f.metrics != nil {
		fmt.Fprintf(&b, "Metrics for Prometheus: http://%s/metrics\n", reachable(f.metrics.listener.Addr()))
	}
	try := func(what, key, headers string, amount int, urls string) {
		fmt.Fprintf(&b, "\n%s:\ncurl -iw '\\n' %s -H 'Idempotency-Key: %s%s'%s -d '{\"amount\":%d,\"currency\":\"GBP\"}'\n",
			what, urls, key, run, headers, amount)
	}
	try("A payment", "order-1", "", 1999, first)
	try("The same again, as if the answer had been lost: it is replayed", "order-1", "", 1999, last)
	try("The key for another amount: 422", "order-1", "", 2999, last)
	try("Two at once: 409 for the one, 201 for the other", "order-2", " -H 'X-Demo-Delay: 2s'", 1999, "-Z --parallel-immediate "+first+" "+last)
	fmt.Fprintf(&b, "\nHow often anybody was charged:\ncurl -w '\\n' %s\n", first)
	fmt.Fprintf(&b, "\n%s:\nkill -9 %d\n", f.afterKill(), os.Getpid())
	where := ""
	if f.redis != nil {
		where = prefix + "REDIS_URL=redis://" + f.redisAt + " "
	}
	fmt.Fprintf(&b, "\nWhat stands under a key:\n%sgo run ./cmd/reprise inspect --scope demo --key order-1%s\n", where, run)
	fmt.Fprintf(&b, "\nThe whole fleet, live, in a browser:\n%sgo run ./cmd/reprise board\n\n", where)
	fmt.Fprintf(&b, "What else can be asked for, by X-Demo headers: %s\n\n", strings.TrimSuffix(first, "/payments")+"/demo")
	return b.String()
}

// afterKill says what to expect of a crash.
func (f *fleet) afterKill() string {
	if f.ledger.scratch != "" {
		return "A crash, after which the ledger is gone, too: start it with -db payments.db to see it last"
	}
	return "A crash, after which the same command line has the same payments, whatever Redis forgets"
}

// reachable is where a client on this machine reaches addr.
func reachable(addr net.Addr) string {
	tcp := *addr.(*net.TCPAddr)
	if tcp.IP.IsUnspecified() {
		tcp.IP = net.IPv4(127, 0, 0, 1)
	}
	return tcp.String()
}
