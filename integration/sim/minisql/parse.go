package minisql

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

var (
	tokens = regexp.MustCompile(`'[^']*'|"[^"]*"|\$\d+|\d+|\w+|<>|<=|>=|!=|[^\s]`)
	parsed sync.Map // of statements, by their text
)

// parse reads a statement.
func parse(sql string) (*statement, error) {
	if q, ok := parsed.Load(sql); ok {
		return q.(*statement), nil
	}
	p := &parser{words: tokens.FindAllString(sql, -1)}
	q := p.statement()
	if p.err == nil && p.at < len(p.words) && p.word() != ";" {
		p.fail("the end")
	}
	if p.err != nil {
		return nil, &Error{"42601", fmt.Sprintf("%v in %q", p.err, sql)}
	}
	parsed.Store(sql, q)
	return q, nil
}

// A parser reads words. After the first that doesn't fit, err says so, and the rest means nothing.
type parser struct {
	words []string
	at    int
	err   error
}

func (p *parser) fail(want string) {
	if p.err == nil {
		got := "the end"
		if p.at < len(p.words) {
			got = p.words[p.at]
		}
		p.err = fmt.Errorf("syntax error at %s, where %s should be", got, want)
	}
}

func (p *parser) word() string {
	if p.at >= len(p.words) || p.err != nil {
		return ""
	}
	return strings.ToLower(p.words[p.at])
}

// accept reads these words if they come next.
func (p *parser) accept(words ...string) bool {
	for i, w := range words {
		if p.err != nil || p.at+i >= len(p.words) || !strings.EqualFold(p.words[p.at+i], w) {
			return false
		}
	}
	p.at += len(words)
	return true
}

func (p *parser) expect(words ...string) {
	if !p.accept(words...) {
		p.fail(strings.ToUpper(strings.Join(words, " ")))
	}
}

func (p *parser) name() string {
	w := p.word()
	if w == "" || w[0] != '"' && w[0] != '_' && (w[0] < 'a' || w[0] > 'z') {
		p.fail("a name")
		return ""
	}
	p.at++
	return strings.Trim(w, `"`)
}

// list reads what is in parentheses, separated by commas.
func (p *parser) list(item func()) {
	p.expect("(")
	p.separated(item)
	p.expect(")")
}

func (p *parser) separated(item func()) {
	item()
	for p.accept(",") {
		item()
	}
}

func (p *parser) names() (all []string) {
	p.list(func() { all = append(all, p.name()) })
	return all
}

func (p *parser) statement() *statement {
	q := &statement{verb: p.word()}
	p.at++
	switch q.verb {
	case "insert":
		p.insert(q)
	case "select":
		p.separated(func() { q.columns = append(q.columns, p.name()) })
		p.expect("from")
		q.table = p.name()
		p.where(q)
		q.locks = p.accept("for", "update")
	case "update":
		q.table = p.name()
		p.set(q)
		p.where(q)
	case "delete":
		p.expect("from")
		q.table = p.name()
		p.where(q)
	case "create":
		p.create(q)
	default:
		p.at--
		p.fail("a statement")
	}
	return q
}

func (p *parser) insert(q *statement) {
	p.expect("into")
	q.table = p.name()
	if p.accept("as") {
		p.name()
	}
	q.columns = p.names()
	p.expect("values")
	p.list(func() { q.values = append(q.values, p.expression(q)) })
	if len(q.values) != len(q.columns) {
		p.fail("a value for each column")
	}
	if !p.accept("on", "conflict") {
		return
	}
	if p.word() == "(" {
		p.names()
	}
	p.expect("do")
	q.conflict = "nothing"
	if !p.accept("nothing") {
		p.expect("update")
		q.conflict = "update"
		p.set(q)
		p.where(q)
	}
}

func (p *parser) set(q *statement) {
	p.expect("set")
	p.separated(func() {
		column := p.name()
		p.expect("=")
		q.sets = append(q.sets, assignment{column, p.expression(q)})
	})
}

func (p *parser) where(q *statement) {
	if !p.accept("where") {
		return
	}
	for again := true; again; again = p.accept("and") {
		if p.among(q) {
			continue
		}
		left := p.expression(q)
		if p.accept("is", "null") {
			q.where = append(q.where, condition{left, "is null", nil})
			continue
		}
		is := p.word()
		switch is {
		case "=", "<>", "!=", "<", "<=", ">", ">=":
			p.at++
		default:
			p.fail("a comparison")
		}
		q.where = append(q.where, condition{left, is, p.expression(q)})
	}
}

// among reads (primary key) IN (SELECT primary key FROM the same table WHERE …), which is to say
// the conditions in there, and tells whether it came next. In what order, and how many at most, is
// all the same to tables as small as these.
func (p *parser) among(q *statement) bool {
	begin := p.at
	if p.accept("(") {
		for p.word() != ")" && p.word() != "" {
			p.at++
		}
	}
	p.at++
	if !p.accept("in", "(", "select") {
		p.at = begin
		return false
	}
	p.separated(func() { p.name() })
	p.expect("from")
	if p.name() != q.table {
		p.fail(q.table)
	}
	p.where(q)
	if p.accept("order", "by") {
		p.name()
	}
	if p.accept("limit") {
		p.at++
	}
	q.skips = p.accept("for", "update", "skip", "locked")
	p.expect(")")
	return true
}

// create reads the columns of a table and its primary key. Types and other words say nothing here.
func (p *parser) create(q *statement) {
	if p.accept("index") {
		p.at = len(p.words)
		return
	}
	p.expect("table")
	p.accept("if", "not", "exists")
	q.table = p.name()
	p.list(func() {
		if p.accept("primary", "key") {
			q.primary = p.names()
			return
		}
		column := p.name()
		q.columns = append(q.columns, column)
		for deep := 0; p.err == nil && (deep > 0 || p.word() != "," && p.word() != ")"); {
			switch {
			case p.accept("primary", "key"):
				q.primary = []string{column}
				continue
			case p.word() == "(":
				deep++
			case p.word() == ")":
				deep--
			case p.word() == "":
				p.fail(")")
			}
			p.at++
		}
	})
}
