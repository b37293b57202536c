package bubble

import "math/rand/v2"

// Values returns the strings that Redis holds, by key.
func (f *Fleet) Values() map[string]string {
	all := map[string]string{}
	for _, key := range f.Redis.Keys() {
		all[key], _ = f.Redis.Get(key)
	}
	return all
}

// OnlyKey returns the one key that Redis holds, and fails the test if there are none or several.
func (f *Fleet) OnlyKey() string {
	f.t.Helper()
	keys := f.Redis.Keys()
	if len(keys) != 1 {
		f.t.Fatalf("Redis holds %q, want one key", keys)
	}
	return keys[0]
}

// OnlyValue returns what is under the one key that Redis holds.
func (f *Fleet) OnlyValue() string {
	f.t.Helper()
	value, err := f.Redis.Get(f.OnlyKey())
	if err != nil {
		f.t.Fatal(err)
	}
	return value
}

// Noise returns n bytes that don't compress, always the same.
func Noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return string(b)
}
