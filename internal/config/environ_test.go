package config_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/internal/config"
)

type mode string

func (mode) Words() []mode { return []mode{"wait", "refuse"} }

// level reads itself.
type level int

func (l *level) UnmarshalText(text []byte) error {
	if string(text) != "high" {
		return errors.New("high")
	}
	*l = 9
	return nil
}

type inner struct{ TTL time.Duration }

func (c *inner) Settings() config.Settings {
	return config.Settings{config.Duration("INNER_TTL", "TTL", &c.TTL)}
}

func (c inner) Validate() error {
	if c.TTL > time.Hour {
		return &config.Error{Name: "TTL", Value: c.TTL.String(), Want: "at most 1h"}
	}
	return nil
}

type sample struct {
	Name   string
	Count  int
	Size   int64
	On     bool
	TTL    time.Duration
	Renew  time.Duration
	Mode   mode
	Level  level
	Names  []string
	Keys   [][]byte
	Silent time.Duration
	Inner  inner
}

func (c *sample) Settings() config.Settings {
	isShort := func(key []byte) bool { return len(key) <= 4 }
	return append(config.Settings{
		config.String("NAME", "Name", &c.Name),
		config.Int("COUNT", "Count", &c.Count).Default(7).Accept(config.OrOff(config.AtLeast(1))),
		config.Size("SIZE", "Size", &c.Size).Default(64 << 10).Accept(config.OrOff(config.Between[int64](1, 1<<20))),
		config.Bool("ON", "On", &c.On),
		config.Duration("TTL", "TTL", &c.TTL).Default(90 * time.Minute),
		config.Duration("RENEW", "Renew", &c.Renew).Means("a third of `TTL`"),
		config.Word("MODE", "Mode", &c.Mode).Default("wait"),
		config.Text("LEVEL", "Level", &c.Level),
		config.List("NAMES", "Names", &c.Names).Default([]string{"a", "b"}).Accept(config.Each("names in lower case, each once",
			func(s string) bool { return s != "" && s == strings.ToLower(s) }, nil)),
		config.Secrets("KEYS", "Keys", &c.Keys).Accept(config.EachSecret("at most 4 bytes, each once", isShort)),
		config.Duration("", "Silent", &c.Silent).Accept(config.Between(time.Second, time.Hour)),
	}, c.Inner.Settings().In("Inner")...)
}

func (c sample) Validate() error {
	var f config.Faults
	f.CheckEach(c.Settings())
	f.Check(c.Renew <= c.TTL, "Renew", c.Renew, "less than TTL", "TTL")
	if c.Name == "broken" {
		f.Add(errors.New("the name says so"))
	}
	f.Add(config.In("Inner", c.Inner.Validate()))
	return f.Err()
}

func TestFromEnv(t *testing.T) {
	const duration = "want a duration above 0, such as 250ms, 15s or 1h30m"
	for _, tc := range []struct {
		name    string
		environ []string
		want    sample
		faults  []string
	}{
		{name: "nothing set"},
		{
			name: "everything set",
			environ: []string{"X_NAME=n", "X_COUNT=3", "X_SIZE=64KiB", "X_ON=true", "X_TTL=15s", "X_RENEW=250ms", "X_MODE=refuse",
				"X_LEVEL=high", "X_NAMES=c,d", "X_KEYS=_-8, AwQ=", "X_INNER_TTL=1h"},
			want: sample{Name: "n", Count: 3, Size: 64 << 10, On: true, TTL: 15 * time.Second, Renew: 250 * time.Millisecond, Mode: "refuse",
				Level: 9, Names: []string{"c", "d"}, Keys: [][]byte{{0xff, 0xef}, {3, 4}}, Inner: inner{TTL: time.Hour}},
		},
		{name: "off is -1", environ: []string{"X_COUNT=off", "X_SIZE=off", "X_TTL=off", "X_RENEW=off"},
			want: sample{Count: config.Off, Size: config.Off, TTL: config.Off, Renew: config.Off}},
		{name: "empty and foreign variables", environ: []string{"X_TTL=", "TTL=junk", "X_=junk", "X_INNER_=junk", "X_SILENT=junk", "junk"}},
		{name: "the last of two", environ: []string{"X_TTL=junk", "X_TTL=1s"}, want: sample{TTL: time.Second}},
		{
			name: "every fault at once, each with what is accepted",
			environ: []string{"X_COUNT=3.5", "X_SIZE=12x", "X_ON=yes", "X_TTL=15", "X_MODE=later", "X_LEVEL=low",
				"X_NAMES=c,D", "X_KEYS=AQI=,hunter2!", "X_INNER_TTL=x"},
			faults: []string{
				`X_COUNT: got "3.5", want a whole number`,
				`X_SIZE: got "12x", want a size from 1 to 1MiB, or off`,
				`X_ON: got "yes", want true or false`,
				`X_TTL: got "15", ` + duration,
				`X_LEVEL: got "low", want high`,
				`X_KEYS: want at most 4 bytes, each once, in base64, separated by commas`,
				`X_INNER_TTL: got "x", ` + duration,
				`X_MODE: got "later", want one of wait, refuse`,
				`X_NAMES: got "c,D", want names in lower case, each once, separated by commas`,
			},
		},
		{
			name:    "what Validate says, in the words of the environment",
			environ: []string{"X_SIZE=4MiB", "X_COUNT=x", "X_TTL=1s", "X_RENEW=5000ms", "X_INNER_TTL=2h", "X_KEYS=aHVudGVyMg", "X_NAME=broken"},
			faults: []string{
				`X_COUNT: got "x", want a whole number`,
				`X_SIZE: got "4MiB", want a size from 1 to 1MiB, or off`,
				`X_KEYS: want at most 4 bytes, each once, in base64, separated by commas`,
				`X_RENEW: got "5000ms", want less than TTL (see X_TTL)`,
				`the name says so`,
				`X_INNER_TTL: got "2h", want at most 1h`,
			},
		},
		{
			name:    "a rule across two settings waits until both can be read",
			environ: []string{"X_TTL=junk", "X_RENEW=5s"},
			faults:  []string{`X_TTL: got "junk", ` + duration},
		},
		{
			name:    "0 would mean the default",
			environ: []string{"X_COUNT=0", "X_SIZE=0", "X_TTL=0s", "X_INNER_TTL=-1s"},
			faults: []string{
				`X_COUNT: got "0", want at least 1, or off`,
				`X_SIZE: got "0", want a size from 1 to 1MiB, or off`,
				`X_TTL: got "0s", ` + duration,
				`X_INNER_TTL: got "-1s", ` + duration,
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := config.FromEnv[sample]("X_", tc.environ)
			if text, want := text(err), strings.Join(tc.faults, "\n"); text != want {
				t.Fatalf("error:\n%s\nwant:\n%s", text, want)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Fatalf("got  %+v\nwant %+v", got, tc.want)
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

func TestSizes(t *testing.T) {
	for value, want := range map[string]int64{
		"1": 1, "65536": 65536, "4KiB": 4096, "1MiB": 1 << 20, "off": -1,
		"": 0, "0": -2, "-1": -2, "1.5MiB": -2, "4kib": -2, "4KB": -2, "KiB": -2, "4 KiB": -2, "2GiB": -2,
		"9223372036854775808": -2, "9007199254740993KiB": -2,
	} {
		got, err := config.FromEnv[sample]("", []string{"SIZE=" + value})
		if refused := want == -2; refused != (err != nil) || !refused && got.Size != want {
			t.Errorf("%q: got %d, %v", value, got.Size, err)
		}
	}
}

func TestFaultsAreTyped(t *testing.T) {
	_, err := config.FromEnv[sample]("X_", []string{"X_TTL=15"})
	e, ok := errors.AsType[*config.Error](err)
	if !ok || e.Name != "X_TTL" || e.Value != "15" || !strings.Contains(e.Want, "duration") {
		t.Fatalf("got %#v", err)
	}
}

func TestValidateNamesFields(t *testing.T) {
	for _, tc := range []struct {
		cfg  sample
		want string
	}{
		{sample{}, ""},
		{sample{Count: -1, Size: -1, Silent: time.Second}, ""},
		{sample{Mode: "later"}, `Mode: got "later", want one of wait, refuse`},
		{sample{Silent: 1}, `Silent: got "1ns", want 1s to 1h`},
		{sample{Size: 2 << 20}, `Size: got "2097152", want a size from 1 to 1MiB, or off`},
		{sample{Names: []string{"a", "b", "a"}}, `Names: got "a", want names in lower case, each once`},
		{sample{Names: []string{"a", ""}}, `Names: got "a,", want names in lower case, each once`},
		{sample{Keys: [][]byte{{1}, {1}, []byte("hunter2")}}, "Keys: got \"1 bytes\", want at most 4 bytes, each once\n" +
			`Keys: got "7 bytes", want at most 4 bytes, each once`},
	} {
		if got := text(tc.cfg.Validate()); got != tc.want {
			t.Errorf("got\n%s\nwant\n%s", got, tc.want)
		}
	}
}

func TestDefaults(t *testing.T) {
	c := sample{TTL: time.Second, Names: []string{"c"}}
	c.Settings().SetDefaults()
	want := sample{Count: 7, Size: 64 << 10, TTL: time.Second, Mode: "wait", Names: []string{"c"}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	told := map[string]string{}
	for _, row := range c.Settings() {
		told[row.Info().Field] = row.Info().Default
	}
	for field, want := range map[string]string{
		"Count": "`7`", "Size": "`64KiB`", "On": "`false`", "TTL": "`1h30m`", "Renew": "a third of `TTL`", "Mode": "`wait`", "Names": "`a,b`",
		"Silent": "", "Inner.TTL": "",
	} {
		if told[field] != want {
			t.Errorf("%s: got %s, want %s", field, told[field], want)
		}
	}
}

// No value makes FromEnv panic, every fault begins with its variable, and the words of a secret are
// never repeated.
func FuzzFromEnv(f *testing.F) {
	f.Add("15s", "c2VjcmV0LXNlY3JldA==")
	f.Add("off", "not base64, nor short")
	f.Add("9007199254740993KiB", ",,")
	f.Fuzz(func(t *testing.T, value, secret string) {
		environ := []string{"X_COUNT=" + value, "X_SIZE=" + value, "X_ON=" + value, "X_TTL=" + value, "X_MODE=" + value,
			"X_LEVEL=" + value, "X_NAMES=" + value, "X_KEYS=" + secret}
		got, err := config.FromEnv[sample]("X_", environ)
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, fault := range joined.Unwrap() {
				if !strings.HasPrefix(fault.Error(), "X_") || !strings.Contains(fault.Error(), "want ") {
					t.Errorf("%q", fault)
				}
				if e, ok := errors.AsType[*config.Error](fault); ok && e.Name == "X_KEYS" && e.Value != "" {
					t.Errorf("a secret is repeated: %q", fault)
				}
			}
		}
		for _, key := range got.Keys {
			if len(key) == 0 {
				t.Errorf("an empty key from %q", secret)
			}
		}
	})
}
