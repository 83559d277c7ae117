package secret

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Shortest is the length from which a value is masked: of a shorter one, masking
// would tell more than it hides.
const Shortest = 4

// Mask replaces the values of secrets by "[secret NAME]". It knows them as they are,
// line by line, URL-escaped, quoted, and in base64 wherever they stand in it; of a
// URL it also knows the password. A nil Mask masks nothing.
type Mask struct {
	replacer *strings.Replacer
	forms    []form
}

// form is one way in which a secret may be written.
type form struct{ text, instead string }

// NewMask makes a mask of values by their names.
func NewMask(values map[string]string) *Mask {
	m := &Mask{}
	known := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, text := range formsOf(values[name]) {
			if len(text) >= Shortest && !known[text] {
				known[text] = true
				m.forms = append(m.forms, form{text, "[secret " + name + "]"})
			}
		}
	}
	// The longest first: of two that begin at one place it hides the other.
	slices.SortStableFunc(m.forms, func(a, b form) int { return cmp.Compare(len(b.text), len(a.text)) })
	var pairs []string
	for _, f := range m.forms {
		pairs = append(pairs, f.text, f.instead)
	}
	m.replacer = strings.NewReplacer(pairs...)
	return m
}

// Text masks a whole text.
func (m *Mask) Text(text string) string {
	if m == nil || len(m.forms) == 0 {
		return text
	}
	return m.replacer.Replace(text)
}

// Part masks a text whose beginning may have been cut off, or whose end is still to
// come: there it also masks what may be a part of a secret.
func (m *Mask) Part(text string, beheaded, unfinished bool) string {
	if m == nil {
		return text
	}
	text = m.Text(text)
	if beheaded && unfinished && len(text) >= Shortest {
		for _, f := range m.forms {
			if strings.Contains(f.text, text) {
				return f.instead
			}
		}
	}
	if beheaded {
		text = m.head(text)
	}
	if unfinished {
		text = m.tail(text)
	}
	return text
}

// head masks the longest end of a secret with which the text begins.
func (m *Mask) head(text string) string {
	longest, instead := 0, ""
	for _, f := range m.forms {
		for k := 1; len(f.text)-k > longest && len(f.text)-k >= Shortest; k++ {
			if strings.HasPrefix(text, f.text[k:]) {
				longest, instead = len(f.text)-k, f.instead
			}
		}
	}
	return instead + text[longest:]
}

// tail masks the longest beginning of a secret with which the text ends.
func (m *Mask) tail(text string) string {
	longest, instead := 0, ""
	for _, f := range m.forms {
		for k := len(f.text) - 1; k > longest && k >= Shortest; k-- {
			if strings.HasSuffix(text, f.text[:k]) {
				longest, instead = k, f.instead
			}
		}
	}
	return text[:len(text)-longest] + instead
}

// formsOf are the ways in which programs print a value.
func formsOf(value string) []string {
	whole := strings.TrimSpace(value)
	if len(whole) < Shortest {
		return nil
	}
	plain := []string{value, whole}
	if u, err := url.Parse(whole); err == nil && u.User != nil {
		if password, ok := u.User.Password(); ok {
			plain = append(plain, password)
		}
	}
	if strings.Contains(whole, "\n") {
		for line := range strings.Lines(whole) {
			plain = append(plain, strings.TrimSpace(line))
		}
	}
	forms := slices.Clone(plain)
	for _, p := range plain {
		if len(p) < Shortest {
			continue
		}
		quoted := strconv.Quote(p)
		forms = append(forms, url.QueryEscape(p), url.PathEscape(p), quoted[1:len(quoted)-1])
		if raw, err := json.Marshal(p); err == nil {
			forms = append(forms, string(raw[1:len(raw)-1]))
		}
		forms = append(forms, base64Of(p)...)
	}
	return forms
}

// base64Of are the characters that the value alone decides when it stands in a
// longer text ("user:PASSWORD"): they differ with its place modulo three. Long ones
// are also known in the lines of 64 and 76 characters in which they are printed.
func base64Of(value string) []string {
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for before := range 3 {
			if before > 0 && len(value) < 2*Shortest {
				break // too few characters are left to be sure
			}
			encoded := encoding.EncodeToString([]byte(strings.Repeat("x", before) + value))
			core := encoded[(before*8+5)/6 : (before+len(value))*8/6]
			forms = append(forms, core)
			if before > 0 {
				continue
			}
			for _, width := range []int{64, 76} {
				for line := range slices.Chunk([]byte(core), width) {
					if len(line) < len(core) && len(line) >= 2*Shortest {
						forms = append(forms, string(line))
					}
				}
			}
		}
	}
	return forms
}
