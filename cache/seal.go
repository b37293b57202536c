package cache

import (
	"crypto/aes"
	"crypto/cipher"
)

// sealLen is what sealing adds: a nonce and a tag.
const sealLen = 12 + 16

// A sealer encrypts and authenticates payloads, or leaves them as they are when
// it has no keys.
type sealer struct {
	keys           []cipher.AEAD // the first seals, all open
	acceptUnsealed bool
}

func newSealer(keys [][]byte, acceptUnsealed bool) (sealer, error) {
	s := sealer{acceptUnsealed: acceptUnsealed}
	for _, key := range keys {
		block, err := aes.NewCipher(key)
		if err != nil {
			return sealer{}, err
		}
		// A nonce of 96 random bits for each record, which stands before the
		// ciphertext: machines that share a key have no counter to share.
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return sealer{}, err
		}
		s.keys = append(s.keys, aead)
	}
	return s, nil
}

func (s sealer) on() bool { return len(s.keys) > 0 }

func (s sealer) overhead() int {
	if !s.on() {
		return 0
	}
	return s.keys[0].Overhead()
}

// append adds the payload to record, sealed if there are keys, and bound to what
// record holds by then, its header.
func (s sealer) append(record, payload []byte, key string) []byte {
	if !s.on() {
		return append(record, payload...)
	}
	return s.keys[0].Seal(record, nil, payload, additional(record, key))
}

func (s sealer) open(sealed, header []byte, key string) ([]byte, error) {
	if !s.on() {
		return nil, corrupt("it is sealed, and there are no seal keys to open it")
	}
	data := additional(header, key)
	for _, aead := range s.keys {
		if payload, err := aead.Open(nil, nil, sealed, data); err == nil {
			return payload, nil
		}
	}
	return nil, corrupt("it is sealed, and no key opens it")
}

func (s sealer) allowUnsealed() error {
	if s.on() && !s.acceptUnsealed {
		return corrupt("it isn't sealed, and only sealed records are accepted")
	}
	return nil
}

// additional is what is authenticated beside the payload: the header, so that
// nobody turns an answer into a tombstone or the answer to another request, and
// the Redis key, so that nobody moves it to another one. The header says how long
// it is, so no two pairs have the same bytes.
func additional(header []byte, key string) []byte {
	return append(append(make([]byte, 0, len(header)+len(key)), header...), key...)
}
