// Package cluster puts a real Redis Cluster under a test: three primaries and
// three replicas in containers, formed in a few seconds, reached through
// loopback ports, and broken on purpose, one node or one slot at a time.
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		cluster.CloseShared()
//		os.Exit(code)
//	}
//
//	func TestSomething(t *testing.T) {
//		c := cluster.Shared(t) // skips where there is no Docker engine
//		client := c.Client()
//		...
//	}
//
// Nothing in it sleeps: what takes time is polled ([Eventually]) until it is so
// or the context ends.
//
// Every container and network carries the label [Label] and a name that begins
// with "reprise-". They are removed by Close, and if the process dies before it
// gets there, by a small watcher that outlives it.
package cluster
