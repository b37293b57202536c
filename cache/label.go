package cache

// MaxHeader is how many bytes of a record [Peek] needs at most. No header is longer.
const MaxHeader = 512

// A Label is what a record says of itself before its payload.
type Label struct {
	Header
	Version    int // of the format
	Compressed bool
	Sealed     bool
}

// Peek reads the label of a record from its first bytes, MaxHeader of them or the whole of a shorter
// one. It needs no seal keys, and so proves nothing: neither the checksum nor a seal has been looked
// at. It is for operators, and never for an answer. The error is a [CorruptError] for what isn't the
// beginning of a record that this release can read.
func Peek(head string) (Label, error) {
	if err := checkBeginning(head, fixedLen); err != nil {
		return Label{}, err
	}
	r, err := parseHeader(head)
	if err != nil {
		return Label{}, err
	}
	return Label{
		Header:     r.Header,
		Version:    version,
		Compressed: r.flags&flagCompressed != 0,
		Sealed:     r.flags&flagSealed != 0,
	}, nil
}
