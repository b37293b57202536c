package cache_test

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/cache"
)

func TestConfigDefaults(t *testing.T) {
	want := cache.Config{CompressAbove: 2 << 10, MaxDecoded: 16 << 20}
	if got := (cache.Config{}).WithDefaults(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	set := cache.Config{CompressAbove: cache.Never, MaxDecoded: 1 << 10, SealKeys: [][]byte{keyA}, AcceptUnsealed: true}
	if got := set.WithDefaults(); !reflect.DeepEqual(got, set) {
		t.Errorf("got %+v, want %+v", got, set)
	}
}

func TestConfigValidate(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  cache.Config
		want string
	}{
		{"zero", cache.Config{}, ""},
		{"all there is", cache.Config{CompressAbove: 1, MaxDecoded: 512 << 20, SealKeys: [][]byte{keyA, keyB, make([]byte, 24)}, AcceptUnsealed: true}, ""},
		{"the least", cache.Config{CompressAbove: cache.Never, MaxDecoded: 1 << 10}, ""},
		{
			"all faults at once",
			cache.Config{CompressAbove: -2, MaxDecoded: -1, SealKeys: [][]byte{keyA, []byte("secret"), {}}},
			`CompressAbove: got "-2", want a size above 0, such as 4096, 4KiB or 1MiB, or off
MaxDecoded: got "-1", want a size from 1KiB to 512MiB
SealKeys: got "6 bytes", want AES keys of 16, 24 or 32 bytes, each once, the sealing one first
SealKeys: got "0 bytes", want AES keys of 16, 24 or 32 bytes, each once, the sealing one first`,
		},
		{
			"bounds and a rule across fields",
			cache.Config{MaxDecoded: 512<<20 + 1, AcceptUnsealed: true},
			`MaxDecoded: got "536870913", want a size from 1KiB to 512MiB
AcceptUnsealed: got "true", want seal keys with it (see SealKeys)`,
		},
		{"below the least", cache.Config{MaxDecoded: 1<<10 - 1}, `MaxDecoded: got "1023", want a size from 1KiB to 512MiB`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.cfg.Validate()
			if got := text(err); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
			var invalid *cache.ConfigError
			if err != nil && !errors.As(err, &invalid) {
				t.Errorf("%T is no ConfigError", err)
			}
			if _, newErr := cache.NewCodec(tc.cfg); (newErr == nil) != (err == nil) || err != nil && !strings.Contains(newErr.Error(), tc.want) {
				t.Errorf("NewCodec says %v", newErr)
			}
		})
	}
}

func TestFromEnv(t *testing.T) {
	a, b := base64.StdEncoding.EncodeToString(keyA), base64.RawURLEncoding.EncodeToString(keyB)
	for _, tc := range []struct {
		name    string
		environ []string
		want    cache.Config
		err     string
	}{
		{name: "nothing", environ: []string{"PATH=/bin", "CACHE_MAX_DECODED=junk"}},
		{
			name: "everything",
			environ: []string{"REPRISE_CACHE_COMPRESS_ABOVE=off", "REPRISE_CACHE_MAX_DECODED=64MiB",
				"REPRISE_CACHE_SEAL_KEYS=" + a + ", " + b, "REPRISE_CACHE_ACCEPT_UNSEALED=true"},
			want: cache.Config{CompressAbove: cache.Never, MaxDecoded: 64 << 20, SealKeys: [][]byte{keyA, keyB}, AcceptUnsealed: true},
		},
		{name: "plain bytes", environ: []string{"REPRISE_CACHE_COMPRESS_ABOVE=1500"}, want: cache.Config{CompressAbove: 1500}},
		{
			name: "every fault, and no secret",
			environ: []string{"REPRISE_CACHE_COMPRESS_ABOVE=12x", "REPRISE_CACHE_MAX_DECODED=1GiB",
				"REPRISE_CACHE_SEAL_KEYS=c2VjcmV0", "REPRISE_CACHE_ACCEPT_UNSEALED=perhaps"},
			err: `REPRISE_CACHE_COMPRESS_ABOVE: got "12x", want a size above 0, such as 4096, 4KiB or 1MiB, or off
REPRISE_CACHE_ACCEPT_UNSEALED: got "perhaps", want true or false
REPRISE_CACHE_MAX_DECODED: got "1GiB", want a size from 1KiB to 512MiB
REPRISE_CACHE_SEAL_KEYS: want AES keys of 16, 24 or 32 bytes, each once, the sealing one first, in base64, separated by commas`,
		},
		{
			name:    "a secret that doesn't parse",
			environ: []string{"REPRISE_CACHE_SEAL_KEYS=secret!", "REPRISE_CACHE_ACCEPT_UNSEALED=true"},
			err:     `REPRISE_CACHE_SEAL_KEYS: want AES keys of 16, 24 or 32 bytes, each once, the sealing one first, in base64, separated by commas`,
		},
		{
			name:    "a rule across variables",
			environ: []string{"REPRISE_CACHE_ACCEPT_UNSEALED=true"},
			err:     `REPRISE_CACHE_ACCEPT_UNSEALED: got "true", want seal keys with it (see REPRISE_CACHE_SEAL_KEYS)`,
		},
		{
			name:    "0 isn't the default, nor off",
			environ: []string{"REPRISE_CACHE_COMPRESS_ABOVE=0", "REPRISE_CACHE_MAX_DECODED=off"},
			err: `REPRISE_CACHE_COMPRESS_ABOVE: got "0", want a size above 0, such as 4096, 4KiB or 1MiB, or off
REPRISE_CACHE_MAX_DECODED: got "off", want a size from 1KiB to 512MiB`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := cache.FromEnv("REPRISE_", tc.environ)
			if text(err) != tc.err {
				t.Fatalf("got\n%v\nwant\n%s", err, tc.err)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
