package cache

import (
	"crypto/aes"
	"crypto/cipher"
)

// sealLen is what sealing adds to a payload, in bytes: a nonce and a tag.
const sealLen = 12 + 16

// A sealer encrypts and authenticates payloads. Without keys it stores them in the clear.
type sealer struct {
	keys           []cipher.AEAD // the first one seals, each of them opens
	acceptUnsealed bool
}

func newSealer(keys [][]byte, acceptUnsealed bool) (sealer, error) {
	s := sealer{acceptUnsealed: acceptUnsealed}
	for _, key := range keys {
		block, err := aes.NewCipher(key)
		if err != nil {
			return sealer{}, err
		}
		// Each record gets a random nonce of 96 bits, which is stored before the ciphertext:
		// machines that share a key have no counter to share.
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return sealer{}, err
		}
		s.keys = append(s.keys, aead)
	}
	return s, nil
}

// enabled reports whether there are keys to seal with.
func (s sealer) enabled() bool { return len(s.keys) > 0 }

func (s sealer) overhead() int {
	if !s.enabled() {
		return 0
	}
	return s.keys[0].Overhead()
}

// append adds the payload to record, which holds the header so far. A sealed payload is bound to
// that header and to the Redis key.
func (s sealer) append(record, payload []byte, key string) []byte {
	if !s.enabled() {
		return append(record, payload...)
	}
	return s.keys[0].Seal(record, nil, payload, additionalData(record, key))
}

// open decrypts a sealed payload with the first key that fits.
func (s sealer) open(sealed, header []byte, key string) ([]byte, error) {
	if !s.enabled() {
		return nil, corrupt("it is sealed, and there are no seal keys to open it")
	}
	data := additionalData(header, key)
	for _, aead := range s.keys {
		if payload, err := aead.Open(nil, nil, sealed, data); err == nil {
			return payload, nil
		}
	}
	return nil, corrupt("it is sealed, and no key opens it")
}

// checkUnsealed returns an error if records in the clear are not accepted.
func (s sealer) checkUnsealed() error {
	if s.enabled() && !s.acceptUnsealed {
		return corrupt("it isn't sealed, and only sealed records are accepted")
	}
	return nil
}

// additionalData is what the seal authenticates beside the payload. The header is part of it, so
// that nobody can turn an answer into a tombstone, or into the answer to another request; and so is
// the Redis key, so that nobody can move a record to another key. The header states its own length:
// no two pairs of header and key are the same bytes.
func additionalData(header []byte, key string) []byte {
	return append(append(make([]byte, 0, len(header)+len(key)), header...), key...)
}
