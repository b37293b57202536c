package reprisetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// look waits until all is done about a request, and holds its answer against those before.
func (s *stage) look(q *request) {
	q.await()
	s.open = slices.DeleteFunc(s.open, func(o *request) bool { return o == q })
	switch {
	case q.another:
		if q.broken == nil && q.status < 400 {
			s.history.wrongf("request %d is another one than the key's first, and must be refused", q.number)
		}
	case !q.isAnswer():
	case s.answer == nil:
		s.answer = q
	case !q.sameAs(s.answer):
		s.history.wrongf("request %d is answered other than request %d", q.number, s.answer.number)
	}
}

func (s *stage) isOpen(q *request) bool { return slices.Contains(s.open, q) }

// end sends the last retry, when whatever was amiss is over. It must get the answer, unless the outcome
// is to stay unknown.
func (s *stage) end() {
	s.Helper()
	if q := s.send(s.process("C")); !q.isAnswer() && !q.leavesUnknown() {
		s.history.wrongf("request %d, a last retry, gets no answer", q.number)
	}
}

// judge compares what the scene has done with what one request does, and returns what went wrong, if
// anything did.
func (s *stage) judge(scene scene, want map[string]int) (report string) {
	s.Helper()
	got := s.effects()
	s.history.addf("all together have made %s", counts(got))
	if s.answer != nil || len(got) > 0 { // it is no fault to have done nothing if nobody was answered
		for _, wrong := range compare(got, want) {
			s.history.wrongf("%s", wrong)
		}
	}
	if len(s.history.wrong) == 0 {
		return ""
	}
	return s.history.report(scene)
}

// A history is what has happened in a scene, and what of that is wrong.
type history struct {
	events []string
	wrong  []string
}

func (h *history) addf(format string, args ...any) {
	h.events = append(h.events, fmt.Sprintf("%d. ", len(h.events)+1)+fmt.Sprintf(format, args...))
}

func (h *history) wrongf(format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

// addCounts adds how often each answer was given to what was added last.
func (h *history) addCounts(counts map[string]int) {
	last := &h.events[len(h.events)-1]
	for _, answer := range slices.Sorted(maps.Keys(counts)) {
		*last += fmt.Sprintf("\n       %d × %s", counts[answer], answer)
	}
}

// report is the failure: the rule, what happened, in order, what is wrong with it, and the cures.
func (h *history) report(scene scene) string {
	var b strings.Builder
	b.WriteString(scene.rule)
	list := func(head, mark string, lines []string) {
		b.WriteString("\n\n" + head)
		for _, line := range lines {
			b.WriteString("\n  " + mark + line)
		}
	}
	list("What happened:", "", h.events)
	list("What is wrong:", "- ", h.wrong)
	cures := make([]string, len(scene.cures))
	for i, c := range scene.cures {
		cures[i] = string(c)
	}
	list("What cures it, each by itself:", "- ", cures)
	return b.String()
}

// counts writes effects down.
func counts(effects map[string]int) string {
	if len(effects) == 0 {
		return "nothing"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(effects)) {
		all = append(all, fmt.Sprintf("%s: %d", name, effects[name]))
	}
	return strings.Join(all, ", ")
}
