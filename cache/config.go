package cache

import (
	"fmt"

	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/envconf"
)

// Never turns off what a Config would otherwise do from some size on, and is
// the time that [Store.TTL] gives a key that doesn't expire.
const Never = -1

const (
	defaultCompressAbove = 2 << 10
	defaultMaxDecoded    = 16 << 20
	minMaxDecoded        = 1 << 10
	maxMaxDecoded        = 512 << 20 // what Redis takes for a string by default (proto-max-bulk-len)
)

// A Config says how records are written and which are read. The zero value
// means the defaults. Machines that share keys may differ in CompressAbove at
// will, in the others only as each says.
type Config struct {
	// CompressAbove is the length in bytes above which a payload is compressed,
	// if that makes it smaller by an eighth at least, and not so small for so many
	// values that a reader would take it for forged. Zero means 2 KiB; Never
	// turns compression off. Compressed records are read either way.
	CompressAbove int64 `env:"CACHE_COMPRESS_ABOVE" want:"a size above 0, such as 4096, 4KiB or 1MiB, or off"`

	// MaxDecoded bounds the length in bytes of a payload, before compression
	// and after decompression: a longer one is neither written nor read. It also
	// bounds the number of values in it, to one for 8 bytes, and by MaxRecord what
	// is fetched to be read. Zero means 16 MiB; 1 KiB to 512 MiB are accepted.
	// Raise it on all machines that read before any writes.
	MaxDecoded int64 `env:"CACHE_MAX_DECODED" want:"a size from 1KiB to 512MiB"`

	// SealKeys are AES keys of 16, 24 or 32 bytes. The first one seals
	// (encrypts and authenticates) every record, each of them opens. Zero (none)
	// means that records are stored in the clear. To rotate, first give all
	// machines the new key as the last one, then move it to the front, and drop
	// the old one when its last record has expired. A key is good for 2³²
	// records (NIST SP 800-38D, section 8.3).
	SealKeys [][]byte `env:"CACHE_SEAL_KEYS" want:"AES keys of 16, 24 or 32 bytes in base64, separated by commas, the sealing one first"`

	// AcceptUnsealed lets a store with SealKeys read records that aren't
	// sealed. Zero (false) means that they are ErrCorrupt, because whoever can
	// write to Redis can write one. Set it while a fleet begins to seal, until
	// the last unsealed record has expired. It helps the machines that have the
	// keys; to those that don't yet, what is sealed is ErrCorrupt.
	AcceptUnsealed bool `env:"CACHE_ACCEPT_UNSEALED"`
}

// FromEnv returns the Config that the environment asks for: the variables
// CACHE_COMPRESS_ABOVE, CACHE_MAX_DECODED, CACHE_SEAL_KEYS and
// CACHE_ACCEPT_UNSEALED, each with the prefix before it. The error names every
// faulty variable with what it accepts, as a [ConfigError] each; seal keys are
// never repeated.
func FromEnv(prefix string, environ []string) (Config, error) {
	var c Config
	if err := envconf.Parse(prefix, environ, &c); err != nil {
		return Config{}, err
	}
	return c, nil
}

// WithDefaults returns c with every zero field set to what it means.
func (c Config) WithDefaults() Config {
	if c.CompressAbove == 0 {
		c.CompressAbove = defaultCompressAbove
	}
	if c.MaxDecoded == 0 {
		c.MaxDecoded = defaultMaxDecoded
	}
	return c
}

// MaxRecord is the length in bytes of the longest record that a codec of c writes or can read: MaxDecoded, and
// what header, seal and checksum add. Nothing longer is worth fetching.
func (c Config) MaxRecord() int64 {
	return min(c.WithDefaults().MaxDecoded+maxOverhead, maxMaxDecoded)
}

// Validate returns all faults of c, joined, each a [ConfigError] that begins
// with the field's name.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var faults config.Faults
	faults.Check(c.CompressAbove > 0 || c.CompressAbove == Never, "CompressAbove", c.CompressAbove, "bytes above 0, or Never", "")
	faults.Check(c.MaxDecoded >= minMaxDecoded && c.MaxDecoded <= maxMaxDecoded, "MaxDecoded", c.MaxDecoded,
		fmt.Sprintf("bytes from %d to %d", minMaxDecoded, maxMaxDecoded), "")
	for _, key := range c.SealKeys {
		if n := len(key); n != 16 && n != 24 && n != 32 {
			faults.Add(&ConfigError{Name: "SealKeys", Want: fmt.Sprintf("AES keys of 16, 24 or 32 bytes; one has %d", n)})
		}
	}
	// Most likely the keys are there, under a name that nobody reads.
	faults.Check(!c.AcceptUnsealed || len(c.SealKeys) > 0, "AcceptUnsealed", true, "seal keys with it", "SealKeys")
	return faults.Err()
}
