// Package database puts a user's SQL databases under a test: PostgreSQL and MariaDB in containers,
// shared by the tests of a binary, and SQLite in a file. Each test has a database of its own.
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		database.CloseShared()
//		os.Exit(code)
//	}
//
//	func TestSomething(t *testing.T) {
//		database.Each(t, func(t *testing.T, db *database.Database) {
//			db.Do(t, "CREATE TABLE charges (id int)")
//			...
//			n := db.Int(t, "SELECT count(*) FROM charges WHERE id = ?", 7)
//		})
//	}
//
// A [Proxy] between a program and its server catches a COMMIT on its way, or the answer to it.
//
// The servers don't wait for their disk (fsync), which saves what a crash of the machine would lose,
// and no test crashes that. What a server has committed survives that the server is killed.
package database
