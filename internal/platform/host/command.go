package host

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
)

// Command is a command line: the program and its arguments.
type Command []string

// UnmarshalJSON takes a list of words, or one string that is split as a shell
// splits it: blanks separate, quotes and backslashes keep together.
func (c *Command) UnmarshalJSON(raw []byte) error {
	var words []string
	if json.Unmarshal(raw, &words) == nil {
		*c = words
		return nil
	}
	var line string
	if err := json.Unmarshal(raw, &line); err != nil {
		return errors.New("run: write the command as text or as a list of words")
	}
	words, err := splitWords(line)
	*c = words
	return err
}

// splitWords knows the quoting of a shell and nothing else: no variables, no
// globs, no operators.
func splitWords(line string) ([]string, error) {
	var (
		words   []string
		word    strings.Builder
		inWord  bool
		quote   rune
		escaped bool
	)
	for _, r := range line {
		switch {
		case escaped:
			if quote == '"' && r != '"' && r != '\\' && r != '$' {
				word.WriteRune('\\')
			}
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("run: a quote is not closed")
	}
	if escaped {
		return nil, errors.New("run: a backslash at the end has nothing to protect")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

var variable = regexp.MustCompile(`\$(PORT|HOST|ARTIFACT)\b|\$\{(PORT|HOST|ARTIFACT)\}`)

// expand replaces the variables that values has; any other text stays as it is,
// so a command may carry dollar signs of its own.
func expand(text string, values map[string]string) string {
	return variable.ReplaceAllStringFunc(text, func(match string) string {
		return values[strings.Trim(match, "${}")]
	})
}
