package snippet

import "io"

var (
	url  string
	body io.Reader
)
