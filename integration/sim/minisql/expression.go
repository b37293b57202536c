package minisql

import (
	"database/sql/driver"
	"strconv"
	"strings"
)

// expression reads sums of products, in so far as whole numbers go.
func (p *parser) expression(q *statement) expression {
	left := p.product(q)
	for {
		by := p.word()
		if by != "+" && by != "-" {
			return left
		}
		p.at++
		left = calculated(left, by, p.product(q))
	}
}

func (p *parser) product(q *statement) expression {
	left := p.factor(q)
	for p.accept("*") {
		left = calculated(left, "*", p.factor(q))
	}
	return left
}

func calculated(left expression, by string, right expression) expression {
	return func(s scope) driver.Value { return calculate(left(s), by, right(s)) }
}

// factor reads a value, and a type that says nothing here.
func (p *parser) factor(q *statement) expression {
	e := p.value(q)
	for p.accept(":", ":") {
		p.name()
	}
	return e
}

func (p *parser) value(q *statement) expression {
	w := p.word()
	constant := func(v driver.Value) expression {
		p.at++
		return func(scope) driver.Value { return v }
	}
	switch {
	case w == "":
		p.fail("a value")
		return nil
	case w[0] == '$':
		n, _ := strconv.Atoi(w[1:])
		q.parameters = max(q.parameters, n)
		p.at++
		return func(s scope) driver.Value { return s.args[n-1] }
	case w[0] >= '0' && w[0] <= '9':
		n, _ := strconv.ParseInt(w, 10, 64)
		return constant(n)
	case w[0] == '\'':
		return constant(strings.Trim(p.words[p.at], "'"))
	case w == "null":
		return constant(nil)
	case p.accept("("):
		e := p.expression(q)
		p.expect(")")
		return e
	case p.accept("extract", "(", "epoch", "from", "now", "(", ")", ")", "*", "1000"):
		return func(s scope) driver.Value { return s.now.UnixMilli() }
	case p.accept("greatest", "("):
		left := p.expression(q)
		p.expect(",")
		right := p.expression(q)
		p.expect(")")
		return calculated(left, "greatest", right)
	}
	return p.column(q)
}

// column reads the name of one, perhaps behind its table's or behind EXCLUDED.
func (p *parser) column(q *statement) expression {
	name, of := p.name(), ""
	if p.accept(".") {
		name, of = p.name(), name
	}
	q.named = append(q.named, name)
	if of == "excluded" {
		return func(s scope) driver.Value { return s.fresh[name] }
	}
	return func(s scope) driver.Value { return s.row[name] }
}
