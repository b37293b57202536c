package minisql

import (
	"cmp"
	"database/sql/driver"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// A statement is SQL, understood.
type statement struct {
	verb     string // insert, select, update, delete or create
	table    string
	columns  []string // that it names to insert, to read, or to create
	primary  []string // of create
	values   []expression
	conflict string // of insert: nothing or update; empty: an error
	sets     []assignment
	where    []condition
	locks    bool // FOR UPDATE
	skips    bool // rows that others have locked

	named      []string // columns in expressions
	parameters int      // the highest number of one
}

type assignment struct {
	column string
	to     expression
}

type condition struct {
	left  expression
	is    string // =, <>, !=, <, <=, >, >= or is null
	right expression
}

// An expression is evaluated over a row.
type expression func(scope) driver.Value

type scope struct {
	row   values // that there is
	fresh values // that was to be inserted
	args  []driver.Value
	now   time.Time // when the transaction began
}

// holds tells whether the scope's row fits the conditions. NULL fits none but IS NULL.
func (q *statement) holds(s scope) bool {
	for _, c := range q.where {
		if c.is == "is null" {
			if c.left(s) != nil {
				return false
			}
			continue
		}
		left, right := c.left(s), c.right(s)
		if left == nil || right == nil || !c.fits(compare(left, right)) {
			return false
		}
	}
	return true
}

func (c condition) fits(order int) bool {
	switch c.is {
	case "=":
		return order == 0
	case "<>", "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0 // >=
}

// assigned is the scope's row after SET.
func (q *statement) assigned(s scope) values {
	next := maps.Clone(s.row)
	for _, a := range q.sets {
		next[a.column] = a.to(s)
	}
	return next
}

// compare orders integers by number, and all else by its text.
func compare(a, b driver.Value) int {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	}
	return strings.Compare(text(a), text(b))
}

func text(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return fmt.Sprint(v)
}

// calculate does sums with whole numbers. NULL makes NULL.
func calculate(a driver.Value, by string, b driver.Value) driver.Value {
	x, ok := a.(int64)
	y, both := b.(int64)
	switch {
	case !ok || !both:
		return nil
	case by == "+":
		return x + y
	case by == "-":
		return x - y
	case by == "*":
		return x * y
	}
	return max(x, y) // greatest
}
