package lock

import (
	"slices"
	"sync"
)

// findings gathers what the probes of several nodes find, until it is closed.
type findings struct {
	mu     sync.Mutex
	all    []*SettingError
	closed bool
}

// add notes a finding, unless the same setting of the same node has been reported already.
func (f *findings) add(found ...*SettingError) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range found {
		if !f.closed && !f.hasLocked(e.Setting, e.Where) {
			f.all = append(f.all, e)
		}
	}
}

func (f *findings) has(setting, where string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hasLocked(setting, where)
}

func (f *findings) hasLocked(setting, where string) bool {
	return slices.ContainsFunc(f.all, func(e *SettingError) bool {
		return e.Setting == setting && e.Where == where
	})
}

// close returns what has been found. A client that outlasts its context may find more, for nobody.
func (f *findings) close() []*SettingError {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return f.all
}
