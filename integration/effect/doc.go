// Package effect has the tests of package effect of reprise on real databases: PostgreSQL, MariaDB
// and SQLite, whose connections break, whose transactions meet, and whose programs are killed, over
// an embedded Redis that forgets what it is told to.
package effect
