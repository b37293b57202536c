package config

// Settings are the rows of a Config: one for each field that has a variable, a rule or a default
// that is a plain value.
type Settings []Setting

// A Setting is one row, and the only place that says how its field is set from the environment,
// what it defaults to and what is accepted. The function of the field's kind makes it:
//
//	config.Duration("LOCK_TTL", "TTL", &c.TTL).Default(15*time.Second).Accept(rule)
type Setting interface {
	Info() Info

	nest(outer string)              // puts the name of a field, and a dot, before the row's own
	fill()                          // sets a zero field to its default
	refused() []string              // the values in the field that are not accepted
	read(text string) (want string) // sets the field by a variable's text, or says what that can be
}

// Info is a row in words.
type Info struct {
	Variable string // without prefix, such as LOCK_TTL; empty for a field that none sets
	Field    string // such as TTL, or Lock.TTL for a field of a Config within another
	Default  string // what zero means, in Markdown; may be empty
	Want     string // what is accepted
	Form     string // how a variable writes it, if there is more to say than Want does
	Secret   bool   // the value must never be repeated
}

// In returns s as part of a Config that has the Config of s as a field.
func (s Settings) In(field string) Settings {
	for _, row := range s {
		row.nest(field)
	}
	return s
}

// SetDefaults sets every zero field whose row has a default to that.
func (s Settings) SetDefaults() {
	for _, row := range s {
		row.fill()
	}
}

// A Row is the Setting of a field of type T.
type Row[T any] struct {
	info     Info
	field    *T
	kind     kind[T]
	fallback T
	rule     Rule[T]
}

func newRow[T any](variable, field string, value *T, k kind[T]) *Row[T] {
	return &Row[T]{
		info:  Info{Variable: variable, Field: field, Form: k.form, Secret: k.secret},
		field: value,
		kind:  k,
	}
}

// Default says what zero means.
func (r *Row[T]) Default(v T) *Row[T] {
	r.fallback, r.info.Default = v, "`"+format(v)+"`"
	return r
}

// Means says in Markdown what zero means where there is no value for it, or one that the Config
// works out.
func (r *Row[T]) Means(zero string) *Row[T] {
	r.info.Default = zero
	return r
}

// Accept sets what is accepted beside zero. Without it, that is everything.
func (r *Row[T]) Accept(rule Rule[T]) *Row[T] {
	r.rule, r.info.Want = rule, rule.Want
	return r
}

// Info returns the row in words.
func (r *Row[T]) Info() Info { return r.info }

func (r *Row[T]) nest(outer string) { r.info.Field = outer + "." + r.info.Field }

func (r *Row[T]) fill() {
	if r.kind.isZero(*r.field) {
		*r.field = r.fallback
	}
}

func (r *Row[T]) refused() []string {
	if r.kind.isZero(*r.field) || r.rule.refused == nil {
		return nil
	}
	return r.rule.refused(*r.field)
}

func (r *Row[T]) read(text string) (want string) {
	v, err := r.kind.parse(text)
	switch {
	case err == errAsWanted:
		return r.info.Want + r.info.Form
	case err != nil:
		return err.Error()
	case r.kind.isZero(v) && r.rule.refused != nil && len(r.rule.refused(v)) > 0:
		return r.info.Want + r.info.Form // who writes 0 hardly means the default
	}
	*r.field = v
	return ""
}
