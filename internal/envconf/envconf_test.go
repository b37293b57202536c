package envconf_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/envconf"
)

type mode string

func (m *mode) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "wait", "refuse":
		*m = mode(s)
		return nil
	}
	return errors.New("wait or refuse")
}

type inner struct {
	TTL time.Duration `env:"TTL"`
}

func (c inner) Validate() error {
	if c.TTL > time.Hour {
		return &config.Error{Name: "TTL", Value: c.TTL.String(), Want: "at most 1h"}
	}
	return nil
}

type sample struct {
	Name    string        `env:"NAME"`
	Count   int           `env:"COUNT"`
	Size    int64         `env:"SIZE" want:"a size up to 1MiB, or off"`
	On      bool          `env:"ON"`
	TTL     time.Duration `env:"TTL"`
	Renew   time.Duration `env:"RENEW" want:"a duration"`
	Mode    mode          `env:"MODE"`
	Key     []byte        `env:"KEY"`
	Keys    [][]byte      `env:"KEYS"`
	Ignored string        `env:"-"`
	Inner   inner         `envPrefix:"INNER_"`
}

func (c sample) Validate() error {
	var faults []error
	if c.Size > 1<<20 {
		faults = append(faults, &config.Error{Name: "Size", Value: fmt.Sprint(c.Size), Want: "at most 1048576, or Off"})
	}
	if c.Renew > c.TTL {
		faults = append(faults, &config.Error{Name: "Renew", Value: c.Renew.String(), Want: "less than TTL", Other: "TTL"})
	}
	if len(c.Key) > 4 {
		faults = append(faults, &config.Error{Name: "Key", Want: "at most 4 bytes"})
	}
	if c.Name == "broken" {
		faults = append(faults, errors.New("the name says so"))
	}
	return errors.Join(errors.Join(faults...), config.In("Inner", c.Inner.Validate()))
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name    string
		environ []string
		want    sample
		faults  []string
	}{
		{name: "nothing set"},
		{
			name: "everything set",
			environ: []string{"X_NAME=n", "X_COUNT=3", "X_SIZE=64KiB", "X_ON=true", "X_TTL=15s", "X_RENEW=250ms",
				"X_MODE=wait", "X_KEY=AQI=", "X_KEYS=_-8, AwQ=", "X_INNER_TTL=1h"},
			want: sample{Name: "n", Count: 3, Size: 64 << 10, On: true, TTL: 15 * time.Second, Renew: 250 * time.Millisecond,
				Mode: "wait", Key: []byte{1, 2}, Keys: [][]byte{{0xff, 0xef}, {3, 4}}, Inner: inner{TTL: time.Hour}},
		},
		{
			name:    "off is -1",
			environ: []string{"X_COUNT=off", "X_SIZE=off", "X_TTL=off", "X_RENEW=off"},
			want:    sample{Count: -1, Size: -1, TTL: -1, Renew: -1},
		},
		{
			name:    "empty, foreign and ignored variables",
			environ: []string{"X_TTL=", "TTL=junk", "X_=junk", "X_INNER_=junk", "X_-=junk", "X_IGNORED=junk", "X_NAMES=junk", "junk"},
		},
		{
			name: "every fault at once, each with what is accepted",
			environ: []string{"X_COUNT=3.5", "X_SIZE=12x", "X_ON=yes", "X_TTL=15", "X_MODE=later",
				"X_KEY=hunter2!", "X_KEYS=AQI=,hunter2!", "X_INNER_TTL=x"},
			faults: []string{
				`X_COUNT: got "3.5", want a whole number`,
				`X_SIZE: got "12x", want a size up to 1MiB, or off`,
				`X_ON: got "yes", want true or false`,
				`X_TTL: got "15", want a duration above 0, such as 250ms, 15s or 1h30m`,
				`X_MODE: got "later", want wait or refuse`,
				`X_KEY: want base64`,
				`X_KEYS: want base64`,
				`X_INNER_TTL: got "x", want a duration above 0, such as 250ms, 15s or 1h30m`,
			},
		},
		{
			name:    "what Validate says, in the words of the environment",
			environ: []string{"X_SIZE=4MiB", "X_COUNT=x", "X_TTL=1s", "X_RENEW=5000ms", "X_INNER_TTL=2h", "X_KEY=aHVudGVyMg", "X_NAME=broken"},
			faults: []string{
				`X_COUNT: got "x", want a whole number`,
				`X_SIZE: got "4MiB", want a size up to 1MiB, or off`,
				`X_RENEW: got "5000ms", want less than TTL (see X_TTL)`,
				`X_KEY: want at most 4 bytes`,
				`the name says so`,
				`X_INNER_TTL: got "2h", want at most 1h`,
			},
		},
		{
			name:    "a rule across two settings waits until both parse",
			environ: []string{"X_TTL=junk", "X_RENEW=5s"},
			faults:  []string{`X_TTL: got "junk", want a duration above 0, such as 250ms, 15s or 1h30m`},
		},
		{
			name:    "0 would mean the default, and a size is no fraction and no overflow",
			environ: []string{"X_SIZE=0", "X_TTL=0s", "X_INNER_TTL=-1s"},
			faults: []string{
				`X_SIZE: got "0", want a size up to 1MiB, or off`,
				`X_TTL: got "0s", want a duration above 0, such as 250ms, 15s or 1h30m`,
				`X_INNER_TTL: got "-1s", want a duration above 0, such as 250ms, 15s or 1h30m`,
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got sample
			err := envconf.Parse("X_", tc.environ, &got)
			var text string
			if err != nil {
				text = err.Error()
			}
			if want := strings.Join(tc.faults, "\n"); text != want {
				t.Fatalf("error:\n%s\nwant:\n%s", text, want)
			}
			if tc.faults == nil && !reflect.DeepEqual(got, tc.want) {
				t.Fatalf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

func TestParseSize(t *testing.T) {
	for value, want := range map[string]int64{
		"1": 1, "65536": 65536, "4KiB": 4096, "16MiB": 16 << 20, "2GiB": 2 << 30, "9223372036854775807": 1<<63 - 1,
		"": 0, "0": -2, "-1": -2, "1.5MiB": -2, "4kib": -2, "4KB": -2, "KiB": -2, "4 KiB": -2,
		"9223372036854775808": -2, "9007199254740993KiB": -2,
	} {
		var got struct {
			Size int64 `env:"SIZE"`
		}
		err := envconf.Parse("", []string{"SIZE=" + value}, &got)
		if refused := want == -2; refused != (err != nil) || !refused && got.Size != want {
			t.Errorf("%q: got %d, %v", value, got.Size, err)
		}
	}
}

func TestParseTyped(t *testing.T) {
	err := envconf.Parse("X_", []string{"X_TTL=15"}, new(sample))
	var e *config.Error
	if !errors.As(err, &e) || e.Name != "X_TTL" || e.Value != "15" || !strings.Contains(e.Want, "duration") {
		t.Fatalf("got %#v", err)
	}
}

func TestParseMisused(t *testing.T) {
	for _, into := range []any{nil, sample{}, new(int)} {
		if err := envconf.Parse("", nil, into); err == nil {
			t.Errorf("%T was taken", into)
		}
	}
	var chans struct {
		C chan int `env:"C"`
	}
	if err := envconf.Parse("", []string{"C=1"}, &chans); err == nil || !strings.Contains(err.Error(), "C") {
		t.Errorf("a field that nothing can set: %v", err)
	}
}

// No value makes Parse panic, every fault begins with its variable, and the
// words of a secret are never repeated.
func FuzzParse(f *testing.F) {
	f.Add("15s", "c2VjcmV0LXNlY3JldA==")
	f.Add("off", "not base64, nor short")
	f.Add("9007199254740993KiB", ",,")
	f.Fuzz(func(t *testing.T, value, secret string) {
		var got sample
		environ := []string{"X_COUNT=" + value, "X_SIZE=" + value, "X_ON=" + value, "X_TTL=" + value, "X_MODE=" + value,
			"X_KEY=" + secret, "X_KEYS=" + secret}
		err := envconf.Parse("X_", environ, &got)
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, fault := range joined.Unwrap() {
				if !strings.HasPrefix(fault.Error(), "X_") || !strings.Contains(fault.Error(), "want ") {
					t.Errorf("%q", fault)
				}
				var e *config.Error
				if errors.As(fault, &e) && strings.HasPrefix(e.Name, "X_KEY") && e.Value != "" {
					t.Errorf("a secret is repeated: %q", fault)
				}
			}
		}
		if len(secret) == 0 && (got.Key != nil || got.Keys != nil) {
			t.Error("a secret from nothing")
		}
		for _, key := range got.Keys {
			if len(key) == 0 {
				t.Errorf("an empty key from %q", secret)
			}
		}
	})
}
