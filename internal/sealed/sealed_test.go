package sealed_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/sealed"
)

func newKey(t *testing.T) sealed.OpeningKey {
	t.Helper()
	key, err := sealed.NewOpeningKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func seal(t *testing.T, key sealed.SealingKey, purpose, text string) string {
	t.Helper()
	box, err := key.Seal(purpose, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestWhatIsSealedOpensWithTheKeyAsItWasWrittenDown(t *testing.T) {
	key := newKey(t)
	opening, err := key.Text()
	if err != nil {
		t.Fatal(err)
	}
	sealing, err := sealed.ParseSealingKey(" " + key.SealingKey().Text() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	other, err := newKey(t).Text()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sealed.ParseOpeningKeys("# since spring\n" + other + "\n\n" + opening)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "hunter2", "\x80", "\x00\x00", strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("long ", 10_000)} {
		got, digestKey, err := keys.Open("shop/production", seal(t, sealing, "shop/production", text))
		if err != nil || string(got) != text {
			t.Errorf("%.20q opens as %.20q: %v", text, got, err)
		}
		if !bytes.Equal(digestKey, sealing.DigestKey()) || len(digestKey) != 32 {
			t.Errorf("the digest keys are %d and %d bytes and not the same", len(digestKey), len(sealing.DigestKey()))
		}
	}
}

func TestASealedTextTellsNothing(t *testing.T) {
	key := newKey(t).SealingKey()
	short, long := seal(t, key, "p", "hunter2"), seal(t, key, "p", strings.Repeat("hunter2", 20))
	if len(short) != len(long) {
		t.Errorf("texts of 7 and 140 bytes are %d and %d long when sealed", len(short), len(long))
	}
	if strings.Contains(short, "hunter2") || short == seal(t, key, "p", "hunter2") {
		t.Errorf("it is sealed as %s, each time", short)
	}
}

func TestWhatDoesNotOpenSaysWhyAndShowsNothing(t *testing.T) {
	key, other := newKey(t), newKey(t)
	box := seal(t, key.SealingKey(), "shop/production", "hunter2")
	changed := []byte(box)
	changed[len(changed)-5] ^= 1
	for name, c := range map[string]struct {
		keys          sealed.Keys
		purpose, text string
		says          string
	}{
		"no key":          {nil, "shop/production", box, "the worker has no opening key"},
		"another key":     {sealed.Keys{other}, "shop/production", box, "sealed for the key " + key.ID() + ", and the worker has the opening key " + other.ID()},
		"another purpose": {sealed.Keys{key}, "shop/staging", box, "what was sealed for shop/staging does not open"},
		"a changed text":  {sealed.Keys{key}, "shop/production", string(changed), "does not open"},
		"a cut text":      {sealed.Keys{key}, "shop/production", box[:len(box)-40], "does not open"},
		"no sealed text":  {sealed.Keys{key}, "shop/production", "hunter2", "no sealed text"},
	} {
		opened, _, err := c.keys.Open(c.purpose, c.text)
		if fault.CodeOf(err) != fault.Invalid || fault.HintOf(err) == "" || !strings.Contains(fmt.Sprint(err), c.says) || opened != nil {
			t.Errorf("%s: %q is opened: %v (%s)", name, opened, err, fault.HintOf(err))
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: the message shows it: %v", name, err)
		}
	}
}

func TestKeysAreNotTakenForEachOtherNorShown(t *testing.T) {
	key := newKey(t)
	opening, err := key.Text()
	if err != nil {
		t.Fatal(err)
	}
	sealing := key.SealingKey().Text()
	for text, says := range map[string]string{
		opening: "this is the opening key, where the sealing key belongs", "": "this is no sealing key",
		sealing[:len(sealing)-3]: "this is no sealing key", "swordfish": "this is no sealing key",
	} {
		if _, err := sealed.ParseSealingKey(text); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), says) || strings.Contains(fmt.Sprint(err, fault.HintOf(err)), "swordfish") {
			t.Errorf("as a sealing key %q is %v", text, err)
		}
	}
	for text, says := range map[string]string{
		sealing: "this is the sealing key, where the opening key belongs", "# none\n": "there is no opening key in it",
		opening + "\nswordfish": "this is no opening key",
	} {
		if _, err := sealed.ParseOpeningKeys(text); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), says) {
			t.Errorf("as opening keys %q is %v", text, err)
		}
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		shown := fmt.Sprintf(format, key) + fmt.Sprintf(format, key.SealingKey()) + fmt.Sprintf(format, sealed.Keys{key})
		if strings.Contains(shown, hex.EncodeToString(key.SealingKey().DigestKey())) || strings.Contains(shown, opening[30:]) || strings.Contains(shown, "0x") {
			t.Errorf("%s shows %s", format, shown)
		}
	}
}
