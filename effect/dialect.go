package effect

import (
	"strconv"
	"strings"
)

// statements are a table's SQL in the words of its database.
//
// Each INSERT comes first in its transaction. If another transaction has inserted the same row and
// is still open, it waits until that is decided, so that of two attempts the second sees what the
// first has done.
type statements struct {
	schema string // several, a semicolon at the end of each but the last
	now    string // the time in ms, by the database's clock: those of a fleet need not agree

	insert string // key, name, fingerprint, attempt, fence, token; changes no row if there is one
	find   string // key, name → fingerprint, attempt, fence, token, value, at
	keep   string // value, key, name, token

	raise  string // resource, fence: the row's fence becomes the larger one
	raised string // resource → fence

	purge       string // age in ms: deletes at most purgeBatch rows
	purgeFences string // likewise

	columns      string // fails unless the table has all columns
	fenceColumns string // likewise
}

// purgeBatch bounds what one statement deletes, and so how long it holds its locks.
const purgeBatch = 1000

// Of all columns but value and at, the lengths are bounded by what replay and this package accept.
const (
	postgresSchema = `CREATE TABLE IF NOT EXISTS {t} (
	"key" text COLLATE "C" NOT NULL,
	name text COLLATE "C" NOT NULL,
	fingerprint text COLLATE "C" NOT NULL,
	attempt integer NOT NULL,
	fence bigint NOT NULL,
	token text COLLATE "C" NOT NULL,
	value bytea,
	at bigint NOT NULL,
	PRIMARY KEY ("key", name)
);
CREATE INDEX IF NOT EXISTS {i} ON {t} (at);
CREATE TABLE IF NOT EXISTS {f} (
	resource text COLLATE "C" NOT NULL PRIMARY KEY,
	fence bigint NOT NULL,
	at bigint NOT NULL
)`

	// A binary collation keeps apart what differs in case alone. InnoDB is named because the tables
	// of MyISAM know no transactions. Fences have an index too, since a DELETE locks all rows that it
	// looks at.
	mysqlSchema = `CREATE TABLE IF NOT EXISTS {t} (
	"key" varchar(191) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	name varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	fingerprint varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	attempt int NOT NULL,
	fence bigint NOT NULL,
	token varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	value longblob,
	at bigint NOT NULL,
	PRIMARY KEY ("key", name),
	KEY by_age (at)
) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS {f} (
	resource varbinary(255) NOT NULL PRIMARY KEY,
	fence bigint NOT NULL,
	at bigint NOT NULL,
	KEY by_age (at)
) ENGINE=InnoDB`

	sqliteSchema = `CREATE TABLE IF NOT EXISTS {t} (
	"key" text NOT NULL,
	name text NOT NULL,
	fingerprint text NOT NULL,
	attempt integer NOT NULL,
	fence integer NOT NULL,
	token text NOT NULL,
	value blob,
	at integer NOT NULL,
	PRIMARY KEY ("key", name)
);
CREATE INDEX IF NOT EXISTS {i} ON {t} (at);
CREATE TABLE IF NOT EXISTS {f} (
	resource text NOT NULL PRIMARY KEY,
	fence integer NOT NULL,
	at integer NOT NULL
)`
)

const (
	insertRow = `INSERT INTO {t} ("key", name, fingerprint, attempt, fence, token, at) VALUES (?, ?, ?, ?, ?, ?, {now})`
	findRow   = `SELECT fingerprint, attempt, fence, token, value, at FROM {t} WHERE "key" = ? AND name = ?`
	keepValue = `UPDATE {t} SET value = ? WHERE "key" = ? AND name = ? AND token = ? AND value IS NULL`

	insertFence = `INSERT INTO {f} (resource, fence, at) VALUES (?, ?, {now})`
	findFence   = `SELECT fence FROM {f} WHERE resource = ?`

	findColumns = `SELECT "key", name, fingerprint, attempt, fence, token, value, at FROM {t} WHERE 1 = 0`

	findFenceColumns = `SELECT resource, fence, at FROM {f} WHERE 1 = 0`
)

var dialects = map[Dialect]statements{
	PostgreSQL: {
		schema: postgresSchema,
		now:    `(extract(epoch FROM now()) * 1000)::bigint`,
		insert: insertRow + ` ON CONFLICT DO NOTHING`,
		find:   findRow,
		keep:   keepValue,
		raise: insertFence + ` ON CONFLICT (resource) DO UPDATE` +
			` SET fence = greatest({f}.fence, excluded.fence), at = excluded.at`,
		raised: findFence,
		purge: `DELETE FROM {t} WHERE ("key", name) IN (SELECT "key", name FROM {t} WHERE at < {now} - ?` +
			` ORDER BY at LIMIT {n} FOR UPDATE SKIP LOCKED)`,
		purgeFences: `DELETE FROM {f} WHERE resource IN (SELECT resource FROM {f} WHERE at < {now} - ?` +
			` LIMIT {n} FOR UPDATE SKIP LOCKED)`,
		columns:      findColumns,
		fenceColumns: findFenceColumns,
	},
	// IGNORE, unlike ON DUPLICATE KEY UPDATE, counts an existing row as 0 whatever the connection's
	// CLIENT_FOUND_ROWS says. It would also shorten what is too long, but nothing here can be.
	// Locking reads see what is committed now; others, under MySQL's default isolation, what was
	// when the transaction first read.
	MySQL: {
		schema: mysqlSchema,
		// unix_timestamp is an hour off in the hour that a session's time zone has twice.
		now:    `(timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(3)) DIV 1000)`,
		insert: strings.Replace(insertRow, "INSERT", "INSERT IGNORE", 1),
		find:   findRow + ` LOCK IN SHARE MODE`,
		keep:   keepValue,
		raise: insertFence +
			` ON DUPLICATE KEY UPDATE fence = greatest(fence, VALUES(fence)), at = VALUES(at)`,
		raised:       findFence + ` FOR UPDATE`,
		purge:        `DELETE FROM {t} WHERE at < {now} - ? ORDER BY at LIMIT {n}`,
		purgeFences:  `DELETE FROM {f} WHERE at < {now} - ? ORDER BY at LIMIT {n}`,
		columns:      findColumns,
		fenceColumns: findFenceColumns,
	},
	SQLite: {
		schema: sqliteSchema,
		now:    `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`,
		insert: insertRow + ` ON CONFLICT DO NOTHING`,
		find:   findRow,
		keep:   keepValue,
		raise: insertFence + ` ON CONFLICT (resource) DO UPDATE` +
			` SET fence = max(fence, excluded.fence), at = excluded.at`,
		raised: findFence,
		purge: `DELETE FROM {t} WHERE rowid IN` +
			` (SELECT rowid FROM {t} WHERE at < {now} - ? ORDER BY at LIMIT {n})`,
		purgeFences:  `DELETE FROM {f} WHERE rowid IN (SELECT rowid FROM {f} WHERE at < {now} - ? LIMIT {n})`,
		columns:      findColumns,
		fenceColumns: findFenceColumns,
	},
}

// statementsFor returns the SQL for the table of that name.
func statementsFor(d Dialect, name string) statements {
	place := ""
	table := name
	if schema, rest, ok := strings.Cut(name, "."); ok {
		place, table = d.quote(schema)+".", rest
	}
	names := strings.NewReplacer(
		"{t}", place+d.quote(table),
		"{f}", place+d.quote(table+"_fences"),
		"{i}", d.quote(table+"_by_age"), // in the schema of its table
		"{now}", dialects[d].now,
		"{n}", strconv.Itoa(purgeBatch))
	s := dialects[d]
	for _, query := range []*string{&s.schema, &s.insert, &s.find, &s.keep, &s.raise, &s.raised,
		&s.purge, &s.purgeFences, &s.columns, &s.fenceColumns} {
		*query = d.write(names.Replace(*query))
	}
	return s
}

func (d Dialect) quote(name string) string {
	if d == MySQL {
		return "`" + name + "`"
	}
	return `"` + name + `"`
}

// write puts a query into the dialect's quotes and placeholders.
func (d Dialect) write(query string) string {
	switch d {
	case MySQL:
		return strings.ReplaceAll(query, `"`, "`")
	case PostgreSQL:
		for n := 1; strings.Contains(query, "?"); n++ {
			query = strings.Replace(query, "?", "$"+strconv.Itoa(n), 1)
		}
	}
	return query
}
