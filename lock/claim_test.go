package lock

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	owner = "0123456789abcdef0123456789abcdef"
	plain = "L1 1 1700000000000000 86400000 - " + owner
)

func TestParseClaim(t *testing.T) {
	got, ok := parseClaim("L1 7 1700000000000001 86400000 sha256:ab " + owner)
	want := Claim{Attempt: 7, Fence: 1700000000000001, Remember: 24 * time.Hour, Fingerprint: "sha256:ab", Owner: owner}
	if !ok || got != want {
		t.Errorf("got %+v, %v, want %+v", got, ok, want)
	}
	if got, ok := parseClaim(plain); !ok || got.Fingerprint != "" {
		t.Errorf("no fingerprint: got %+v, %v", got, ok)
	}
}

func TestParseClaimRefusesAnythingElse(t *testing.T) {
	for _, s := range []string{
		"", "L", "L1", "L1 ", "L1     ", "R1 record", "hello", "\x00",
		"L2 1 1700000000000000 86400000 - " + owner,                          // a format to come
		"L1 0 1700000000000000 86400000 - " + owner,                          // attempts count from 1
		"L1 -1 1700000000000000 86400000 - " + owner,                         //
		"L1 01 1700000000000000 86400000 - " + owner,                         //
		"L1 1000000000 1700000000000000 86400000 - " + owner,                 //
		"L1 1 9007199254740992 86400000 - " + owner,                          // more than Lua counts exactly
		"L1 1 17000000000000000 86400000 - " + owner,                         //
		"L1 1 1.7e15 86400000 - " + owner,                                    // what Lua's tostring would write
		"L1 1 1700000000000000 315360000001 - " + owner,                      // more than ten years
		"L1 1 1700000000000000 18446744073709551615 - " + owner,              //
		"L1 1 1700000000000000 86400000  " + owner,                           // no fingerprint
		"L1 1 1700000000000000 86400000 f\tp " + owner,                       //
		"L1 1 1700000000000000 86400000 é " + owner,                          //
		"L1 1 1700000000000000 86400000 " + strings.Repeat("f", 129) + owner, //
		"L1 1 1700000000000000 86400000 - ",                                  // no owner
		"L1 1 1700000000000000 86400000 -",                                   //
		"L1 1 1700000000000000 86400000 - " + strings.ToUpper(owner),         //
		"L1 1 1700000000000000 86400000 - " + strings.Repeat("a", 33),        //
		"L1 1 1700000000000000 86400000 - " + strings.Repeat("a", 31),        //
		"L1 1 1700000000000000 86400000 - two owners",                        //
		plain + " ", plain + "\n", " " + plain, strings.Replace(plain, " ", "  ", 1), "l" + plain[1:],
	} {
		if c, ok := parseClaim(s); ok {
			t.Errorf("%q was taken for a claim: %+v", s, c)
		}
	}
}

// Whatever stands under a key, parsing it does not panic, and what begin.lua would write of a
// claim is what it was read from.
func FuzzParseClaim(f *testing.F) {
	for _, s := range []string{
		plain, "L1 2 1700000000000001 100 v1:c0ffee " + owner, "", "L", "L1 ", "L1 1 1 1 - 0", "L1 01 +1 1 - a",
		"L1 1 1 315360000000 ~ f", "R1 record", "L1 1 1 1 - \xff", "L1 1 1 1", strings.Repeat("L1 ", 30),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := parseClaim(s)
		if !ok {
			if c != (Claim{}) {
				t.Errorf("%q: refused, and yet %+v", s, c)
			}
			return
		}
		if err := checkKey("k", Terms{Fingerprint: c.Fingerprint}); err != nil {
			t.Errorf("%q: nobody could have asked for fingerprint %q", s, c.Fingerprint)
		}
		if checkValue(s) == nil {
			t.Errorf("%q: could be committed as a value, too", s)
		}
		again, ok := parseClaim(written(c))
		if !ok || again != c {
			t.Errorf("%q: %+v is written as %q and read as %+v", s, c, written(c), again)
		}
	})
}

// written is the line that begin.lua writes.
func written(c Claim) string {
	fingerprint := c.Fingerprint
	if fingerprint == "" {
		fingerprint = noFingerprint
	}
	return fmt.Sprintf("L1 %d %d %d %s %s", c.Attempt, c.Fence, c.Remember.Milliseconds(), fingerprint, c.Owner)
}

func TestTokensAreOneOfAKind(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		token := newToken()
		if len(token) != 32 || !isToken(token) || seen[token] {
			t.Fatalf("%q after %d tokens", token, len(seen))
		}
		seen[token] = true
	}
}

func TestCheckKey(t *testing.T) {
	for _, tc := range []struct {
		name, key, fingerprint, field string
	}{
		{name: "plain", key: "k"},
		{name: "any bytes", key: "{a}\x00\r\n ключ"},
		{name: "fingerprint", key: "k", fingerprint: "v1:" + strings.Repeat("c0", 32)},
		{name: "longest", key: "k", fingerprint: strings.Repeat("~", 128)},
		{name: "a dash and more", key: "k", fingerprint: "--"},
		{name: "no key", field: "key"},
		{name: "too long", key: "k", fingerprint: strings.Repeat("a", 129), field: "fingerprint"},
		{name: "space", key: "k", fingerprint: "a b", field: "fingerprint"},
		{name: "line break", key: "k", fingerprint: "a\nb", field: "fingerprint"},
		{name: "not ASCII", key: "k", fingerprint: "é", field: "fingerprint"},
		{name: "not printable", key: "k", fingerprint: "\x7f", field: "fingerprint"},
		{name: "what stands for none", key: "k", fingerprint: "-", field: "fingerprint"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := checkKey(tc.key, Terms{Fingerprint: tc.fingerprint})
			if tc.field == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := errors.AsType[*KeyError](err)
			if !ok || e.Field != tc.field || e.Want == "" {
				t.Fatalf("got %v, want a *KeyError of the %s", err, tc.field)
			}
			if given := tc.key + tc.fingerprint; len(given) > 1 && strings.Contains(err.Error(), given) {
				t.Errorf("%q repeats what was given", err)
			}
		})
	}
}

func TestCheckValue(t *testing.T) {
	for value, fine := range map[string]bool{
		"R1 record": true, "l": true, "\x00": true, " L": true,
		"": false, "L": false, plain: false, "Lorem ipsum": false,
	} {
		if got := checkValue(value) == nil; got != fine {
			t.Errorf("%q: accepted %v, want %v", value, got, fine)
		}
		if got := checkValue([]byte(value)) == nil; got != fine {
			t.Errorf("[]byte %q: accepted %v, want %v", value, got, fine)
		}
	}
}
