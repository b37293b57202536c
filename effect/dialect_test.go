package effect

import (
	"reflect"
	"strings"
	"testing"
)

func TestStatements(t *testing.T) {
	for _, c := range []struct {
		dialect   Dialect
		name      string
		statement func(statements) string
		want      string
	}{
		{PostgreSQL, "effects", func(s statements) string { return s.insert },
			`INSERT INTO "effects" ("key", name, fingerprint, attempt, fence, token, at) VALUES ($1, $2, $3, $4, $5, $6, ` +
				`(extract(epoch FROM now()) * 1000)::bigint) ON CONFLICT DO NOTHING`},
		{PostgreSQL, "shop.effects", func(s statements) string { return s.keep },
			`UPDATE "shop"."effects" SET value = $1 WHERE "key" = $2 AND name = $3 AND token = $4 AND value IS NULL`},
		{PostgreSQL, "shop.effects", func(s statements) string { return s.raised },
			`SELECT fence FROM "shop"."effects_fences" WHERE resource = $1`},
		{MySQL, "shop.effects", func(s statements) string { return s.find },
			"SELECT fingerprint, attempt, fence, token, value, at FROM `shop`.`effects`" +
				" WHERE `key` = ? AND name = ? LOCK IN SHARE MODE"},
		{MySQL, "effects", func(s statements) string { return s.purgeFences },
			"DELETE FROM `effects_fences` WHERE at < " +
				`(timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(3)) DIV 1000) - ? ORDER BY at LIMIT 1000`},
		{SQLite, "order", func(s statements) string { return s.purgeFences },
			`DELETE FROM "order_fences" WHERE rowid IN (SELECT rowid FROM "order_fences" WHERE at < ` +
				`CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) - ? LIMIT 1000)`},
	} {
		if got := c.statement(statementsFor(c.dialect, c.name)); got != c.want {
			t.Errorf("%s, %s: got\n%s\nwant\n%s", c.dialect, c.name, got, c.want)
		}
	}
}

// Each statement is there in each dialect, and nothing is left to be filled in.
func TestStatementsAreWhole(t *testing.T) {
	for _, d := range Dialect("").Words() {
		s := reflect.ValueOf(statementsFor(d, "effects"))
		for i := range s.NumField() {
			name, text := s.Type().Field(i).Name, s.Field(i).String()
			if text == "" || strings.ContainsAny(text, "{}") || d == PostgreSQL && strings.Contains(text, "?") {
				t.Errorf("%s: %s is %q", d, name, text)
			}
		}
	}
}
