package cache

import "github.com/reprise-go/reprise/internal/config"

// Never turns off what a Config would otherwise do from some size on, and is
// the time that [Store.TTL] gives a key that doesn't expire.
const Never = -1

// maxMaxDecoded is what Redis takes for a string by default (proto-max-bulk-len).
const maxMaxDecoded int64 = 512 << 20

// A Config says how records are written and which are read. The zero value
// means the defaults. Machines that share keys may differ in CompressAbove at
// will, in the others only as each says.
type Config struct {
	// CompressAbove is the length in bytes above which a payload is compressed,
	// if that makes it smaller by an eighth at least, and not so small for so many
	// values that a reader would take it for forged. Zero means 2 KiB; Never
	// turns compression off. Compressed records are read either way.
	CompressAbove int64

	// MaxDecoded bounds the length in bytes of a payload, before compression
	// and after decompression: a longer one is neither written nor read. It also
	// bounds the number of values in it, to one for 8 bytes, and by MaxRecord what
	// is fetched to be read. Zero means 16 MiB; 1 KiB to 512 MiB are accepted.
	// Raise it on all machines that read before any writes.
	MaxDecoded int64

	// SealKeys are AES keys of 16, 24 or 32 bytes. The first one seals
	// (encrypts and authenticates) every record, each of them opens. Zero (none)
	// means that records are stored in the clear. To rotate, first give all
	// machines the new key as the last one, then move it to the front, and drop
	// the old one when its last record has expired. A key is good for 2³²
	// records (NIST SP 800-38D, section 8.3).
	SealKeys [][]byte

	// AcceptUnsealed lets a store with SealKeys read records that aren't
	// sealed. Zero (false) means that they are ErrCorrupt, because whoever can
	// write to Redis can write one. Set it while a fleet begins to seal, until
	// the last unsealed record has expired. It helps the machines that have the
	// keys; to those that don't yet, what is sealed is ErrCorrupt.
	AcceptUnsealed bool
}

// Settings has a row for each field of c that FromEnv reads: its variable, its default, and what is
// accepted. It is for other packages' Configs and for the tests of the documentation.
func (c *Config) Settings() config.Settings {
	isSize := func(n int64) bool { return n > 0 }
	isKey := func(key []byte) bool { return len(key) == 16 || len(key) == 24 || len(key) == 32 }
	return config.Settings{
		config.Size("CACHE_COMPRESS_ABOVE", "CompressAbove", &c.CompressAbove).Default(2 << 10).
			Accept(config.OrOff(config.Only("a size above 0, such as 4096, 4KiB or 1MiB", isSize))),
		config.Size("CACHE_MAX_DECODED", "MaxDecoded", &c.MaxDecoded).Default(16 << 20).
			Accept(config.Between(1<<10, maxMaxDecoded)),
		config.Secrets("CACHE_SEAL_KEYS", "SealKeys", &c.SealKeys).Means("none").
			Accept(config.EachSecret("AES keys of 16, 24 or 32 bytes, each once, the sealing one first", isKey)),
		config.Bool("CACHE_ACCEPT_UNSEALED", "AcceptUnsealed", &c.AcceptUnsealed),
	}
}

// WithDefaults returns c with every zero field set to what it means.
func (c Config) WithDefaults() Config {
	c.Settings().SetDefaults()
	return c
}

// MaxRecord is the length in bytes of the longest record that a codec of c writes or can read:
// MaxDecoded, and what header, seal and checksum add. Nothing longer is worth fetching.
func (c Config) MaxRecord() int64 {
	return min(c.WithDefaults().MaxDecoded+maxOverhead, maxMaxDecoded)
}

// Validate returns all faults of c, joined, each a [ConfigError] that begins
// with the field's name.
func (c Config) Validate() error {
	var f config.Faults
	f.CheckEach(c.Settings())
	// Most likely the keys are there, under a name that nobody reads.
	f.Check(!c.AcceptUnsealed || len(c.SealKeys) > 0, "AcceptUnsealed", true, "seal keys with it", "SealKeys")
	return f.Err()
}

// FromEnv reads the variables of [Config.Settings], CACHE_MAX_DECODED and so on, each behind prefix
// (conventionally "REPRISE_"), from environ, which has the form of [os.Environ]; docs/settings.md has
// their table. The error has every fault at once, each a *ConfigError with the variable's name and
// what it accepts; the Config is then zero. It never repeats a seal key.
func FromEnv(prefix string, environ []string) (Config, error) {
	return config.FromEnv[Config](prefix, environ)
}
