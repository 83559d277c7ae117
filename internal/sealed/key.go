package sealed

import (
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// What the keys begin with as text. The rest is base64 for URLs of two keys of 32 bytes
// each: X25519's, then the digest key.
const (
	openingPrefix = "fairway-opening-key-v1:"
	sealingPrefix = "fairway-sealing-key-v1:"
	keySize       = 32
)

// OpeningKey opens what its sealing key has sealed.
type OpeningKey struct {
	private hpke.PrivateKey
	digest  []byte
}

// SealingKey seals, and cannot open.
type SealingKey struct {
	public hpke.PublicKey
	digest []byte
}

// NewOpeningKey makes a key by chance.
func NewOpeningKey() (OpeningKey, error) {
	private, err := kem().GenerateKey()
	if err != nil {
		return OpeningKey{}, fault.Errorf(fault.Internal, "make a key: %w", err)
	}
	digest := make([]byte, keySize)
	_, _ = rand.Read(digest) // which never fails
	return OpeningKey{private, digest}, nil
}

// SealingKey is the key for whoever ships.
func (k OpeningKey) SealingKey() SealingKey { return SealingKey{k.private.PublicKey(), k.digest} }

// ID names the pair of keys in messages: eight hex digits.
func (k OpeningKey) ID() string { return k.SealingKey().ID() }

// Text is the key as it is kept in a file, in one line.
func (k OpeningKey) Text() (string, error) {
	private, err := k.private.Bytes()
	if err != nil {
		return "", fault.Errorf(fault.Internal, "write the opening key: %w", err)
	}
	return openingPrefix + base64.RawURLEncoding.EncodeToString(slices.Concat(private, k.digest)), nil
}

// String does not show the key.
func (k OpeningKey) String() string { return "(opening key)" }

// GoString does not show the key.
func (k OpeningKey) GoString() string { return k.String() }

// ID names the pair of keys in messages: eight hex digits.
func (k SealingKey) ID() string {
	sum := sha256.Sum256(slices.Concat(k.public.Bytes(), k.digest))
	return hex.EncodeToString(sum[:4])
}

// DigestKey is what both keys of a pair have in common: 32 bytes to make digests with.
func (k SealingKey) DigestKey() []byte { return k.digest }

// Text is the key as it is given to whoever ships, in one line.
func (k SealingKey) Text() string {
	return sealingPrefix + base64.RawURLEncoding.EncodeToString(slices.Concat(k.public.Bytes(), k.digest))
}

// String does not show the key.
func (k SealingKey) String() string { return "(sealing key)" }

// GoString does not show the key.
func (k SealingKey) GoString() string { return k.String() }

// ParseOpeningKeys reads opening keys, one a line; empty lines and those that begin with
// "#" do not count. None, or anything else, is fault.Invalid.
func ParseOpeningKeys(text string) (Keys, error) {
	var keys Keys
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, digest, err := parse(line, openingPrefix, sealingPrefix)
		if err != nil {
			return nil, err
		}
		private, err := kem().NewPrivateKey(key)
		if err != nil {
			return nil, broken(openingPrefix)
		}
		keys = append(keys, OpeningKey{private, digest})
	}
	if len(keys) == 0 {
		return nil, fault.Errorf(fault.Invalid, "there is no opening key in it").WithHint("`fairway key --out FILE` makes one")
	}
	return keys, nil
}

// ParseSealingKey reads a sealing key. Anything else is fault.Invalid.
func ParseSealingKey(text string) (SealingKey, error) {
	key, digest, err := parse(strings.TrimSpace(text), sealingPrefix, openingPrefix)
	if err != nil {
		return SealingKey{}, err
	}
	public, err := kem().NewPublicKey(key)
	if err != nil {
		return SealingKey{}, broken(sealingPrefix)
	}
	return SealingKey{public, digest}, nil
}

func parse(text, prefix, other string) (key, digest []byte, err error) {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok && strings.HasPrefix(text, other) {
		return nil, nil, fault.Errorf(fault.Invalid, "this is the %s, where the %s belongs", nameOf(other), nameOf(prefix)).
			WithHint("the opening key is the worker's alone, the sealing key is for whoever ships")
	}
	raw, err := base64.RawURLEncoding.DecodeString(rest)
	if !ok || err != nil || len(raw) != 2*keySize {
		return nil, nil, broken(prefix)
	}
	return raw[:keySize], raw[keySize:], nil
}

// broken does not repeat what may be most of a key.
func broken(prefix string) error {
	return fault.Errorf(fault.Invalid, "this is no %s", nameOf(prefix)).
		WithHint("it is one line that begins with %s; `fairway key` makes a pair", prefix)
}

func nameOf(prefix string) string {
	if prefix == openingPrefix {
		return "opening key"
	}
	return "sealing key"
}
