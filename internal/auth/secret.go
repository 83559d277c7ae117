package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// A token reads fw_ID_SECRET: the ID (10 characters) may be shown and logged, the
// secret is 256 random bits. Both are lower-case base32.
const tokenPrefix = "fw"

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// randomText returns n random bytes as text. crypto/rand does not fail.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return encoding.EncodeToString(b)
}

const (
	idBytes     = 6
	secretBytes = 32
)

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func joinToken(id, secret string) string { return strings.Join([]string{tokenPrefix, id, secret}, "_") }

// splitToken returns the two parts of a bearer token.
func splitToken(bearer string) (id, secret string, err error) {
	parts := strings.Split(bearer, "_")
	if len(parts) != 3 || parts[0] != tokenPrefix || parts[1] == "" || len(parts[2]) != encoding.EncodedLen(secretBytes) {
		return "", "", fault.Errorf(fault.Invalid, "this is no token of Fairway")
	}
	return parts[1], parts[2], nil
}
