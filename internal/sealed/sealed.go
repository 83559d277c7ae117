// Package sealed keeps texts that travel from whoever ships to a worker, such as the values
// of Secrets, unreadable for everybody between them: the server, its database, its API.
//
// There are two keys. The opening key is the worker's alone. The sealing key, made of it,
// is for whoever ships: it can seal, and not open. Both carry the same digest key, with
// which a value can be told from another without being shown; so the sealing key is kept
// as secrets are, for with it weak values can be guessed from their digests.
//
//	opening, err := sealed.NewOpeningKey()                // the worker's: opening.Text()
//	sealing := opening.SealingKey()                       // for who ships: sealing.Text()
//	text, err := sealing.Seal(sealed.Purpose("shop", "production"), values)
//	keys, err := sealed.ParseOpeningKeys(file)
//	values, digestKey, err := keys.Open(sealed.Purpose("shop", "production"), text)
//
// Texts are sealed by HPKE (RFC 9180) in its base mode, with DHKEM(X25519, HKDF-SHA256),
// HKDF-SHA256 and AES-256-GCM. What a text is for is bound to it: it does not open as a
// text for anything else. The base mode does not say who has sealed; that what was opened
// is what was meant, the caller checks by digests.
//
// It neither reads files nor knows what the texts are. No key and no opened text appears in
// an error, nor in what fmt or a log makes of a key.
package sealed

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// version begins a sealed text, and is bound to it.
const version = "sealed-v1"

// grain is what the length of a text is rounded up to, in bytes, so that a sealed text
// does not tell how long a password is.
const grain = 256

// Purpose is that of a text for one service in one environment.
func Purpose(service, environment string) string { return service + "/" + environment }

// Seal returns the text so that only the opening key opens it, and only for the same
// purpose. Sealed twice, it looks different.
func (k SealingKey) Seal(purpose string, text []byte) (string, error) {
	if k.public == nil {
		return "", fault.Errorf(fault.Internal, "seal: there is no sealing key")
	}
	box, err := hpke.Seal(k.public, hpke.HKDFSHA256(), hpke.AES256GCM(), info(purpose), pad(text))
	if err != nil {
		return "", fault.Errorf(fault.Internal, "seal: %w", err)
	}
	return strings.Join([]string{version, k.ID(), base64.RawURLEncoding.EncodeToString(box)}, "."), nil
}

// Keys are a worker's opening keys: the present one, and former ones for what was sealed
// then. The zero Keys opens nothing.
type Keys []OpeningKey

// Open returns a sealed text with the digest key that its sealer had. No key, another key,
// another purpose and a text that was changed are fault.Invalid.
func (k Keys) Open(purpose, text string) (opened, digestKey []byte, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || parts[0] != version {
		return nil, nil, fault.Errorf(fault.Invalid, "this is no sealed text that Fairway understands").
			WithHint("it was sealed by another version of fairway, or cut off; ship again")
	}
	key, err := k.find(parts[1])
	if err != nil {
		return nil, nil, err
	}
	box, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err == nil {
		opened, err = hpke.Open(key.private, hpke.HKDFSHA256(), hpke.AES256GCM(), info(purpose), box)
	}
	if err == nil {
		opened, err = unpad(opened)
	}
	if err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "what was sealed for %s does not open: it was changed, or sealed for something else", purpose).
			WithHint("ship again; a sealed text is for one service in one environment")
	}
	return opened, key.digest, nil
}

func (k Keys) find(id string) (OpeningKey, error) {
	var others []string
	for _, one := range k {
		if one.ID() == id {
			return one, nil
		}
		others = append(others, one.ID())
	}
	if len(k) == 0 {
		return OpeningKey{}, fault.Errorf(fault.Invalid, "it is sealed for the key %s, and the worker has no opening key", id).
			WithHint("start the worker with --opening-key-file")
	}
	return OpeningKey{}, fault.Errorf(fault.Invalid, "it is sealed for the key %s, and the worker has the opening key %s", id, strings.Join(others, ", ")).
		WithHint("ship with the sealing key of the worker's key, or add the other opening key to the worker's file")
}

func info(purpose string) []byte { return []byte("fairway " + version + "\n" + purpose) }

// pad ends a text with one byte and as many zeros as are missing to a multiple of grain.
func pad(text []byte) []byte {
	padded := append(bytes.Clone(text), 0x80)
	return append(padded, make([]byte, (grain-len(padded)%grain)%grain)...)
}

func unpad(padded []byte) ([]byte, error) {
	text, found := bytes.CutSuffix(bytes.TrimRight(padded, "\x00"), []byte{0x80})
	if !found {
		return nil, fault.Errorf(fault.Invalid, "the end is missing")
	}
	return text, nil
}

func kem() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }
