package httpadapter

import "strings"

// An omission is what JSON pointers leave out of a value: all of it, or what lies below by a
// member's name or an element's index. Nil leaves out nothing.
type omission struct {
	all   bool
	parts map[string]*omission
}

func newOmission(pointers []string) *omission {
	if len(pointers) == 0 {
		return nil
	}
	root := new(omission)
	for _, p := range pointers {
		at := root
		for name := range strings.SplitSeq(p[1:], "/") {
			name = unescapePointer.Replace(name)
			if at.parts[name] == nil {
				if at.parts == nil {
					at.parts = map[string]*omission{}
				}
				at.parts[name] = new(omission)
			}
			at = at.parts[name]
		}
		at.all = true
	}
	return root
}

var unescapePointer = strings.NewReplacer("~1", "/", "~0", "~") // RFC 6901 §4

func (o *omission) here() bool { return o != nil && o.all }

func (o *omission) below(name []byte) *omission {
	if o == nil {
		return nil
	}
	return o.parts[string(name)]
}

// isPointer reports whether p is a JSON pointer to a part of a document (RFC 6901 §3).
func isPointer(p string) bool {
	for i := range len(p) {
		if p[i] == '~' && (i+1 == len(p) || p[i+1] != '0' && p[i+1] != '1') {
			return false
		}
	}
	return strings.HasPrefix(p, "/")
}
