package cli

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/sealed"
)

func keyCommand(c *command) *cobra.Command {
	var out, of string
	cmd := &cobra.Command{
		Use:   "key --out FILE",
		Short: "Make the keys with which Secrets become part of a release",
		Long: `Make a pair of keys: the opening key, in a new file, and the sealing key, which is printed.

With them the Secrets among the manifests become part of a release. Where the manifests
are rendered, their values are sealed with the sealing key; only a worker with the opening
key can read them (` + "`fairway worker --opening-key-file`" + `). The plan has keyed digests of them.

The opening key is the worker's alone. The sealing key is for whoever ships, as
` + sealingVariable + ` or --sealing-key-file; keep it as a secret, too: with it weak values can be
guessed from what stands in a plan. To change the keys, put a new opening key into the
worker's file, in a line before the former one, which still opens what older releases have.`,
		Example: `  fairway key --out worker.key       # a new pair
  fairway key --of worker.key        # the sealing key of a file's first opening key`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			key, err := openingKey(out, of)
			if err != nil {
				return err
			}
			sealing := key.SealingKey()
			return c.show(map[string]string{"key": sealing.ID(), "sealingKey": sealing.Text()}, func(w io.Writer) {
				fmt.Fprintln(w, sealing.Text())
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file to make for the new opening key")
	cmd.Flags().StringVar(&of, "of", "", "file with an opening key, to print its sealing key again")
	cmd.MarkFlagsOneRequired("out", "of")
	cmd.MarkFlagsMutuallyExclusive("out", "of")
	return cmd
}

// openingKey makes a key and its file, or reads the first one of a file.
func openingKey(out, of string) (sealed.OpeningKey, error) {
	if of != "" {
		text, err := os.ReadFile(of)
		if err != nil {
			return sealed.OpeningKey{}, fault.Errorf(fault.Invalid, "the opening key cannot be read: %w", err)
		}
		keys, err := sealed.ParseOpeningKeys(string(text))
		if err != nil {
			return sealed.OpeningKey{}, fault.Errorf(fault.CodeOf(err), "%s: %w", of, err).WithHint("%s", fault.HintOf(err))
		}
		return keys[0], nil
	}
	key, err := sealed.NewOpeningKey()
	if err != nil {
		return key, err
	}
	text, err := key.Text()
	if err != nil {
		return key, err
	}
	file, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return key, fault.Errorf(fault.Invalid, "the opening key cannot be written: %w", err).
			WithHint("name a file that is not there yet")
	}
	_, err = fmt.Fprintln(file, text)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(out) // a part of a key is none, and would be in the way of the next try
		return key, fault.Errorf(fault.Unavailable, "write the opening key: %w", err)
	}
	return key, nil
}

// sealingVariable has the sealing key; with "_" and an environment's name in capitals
// behind it, that environment's.
const sealingVariable = "FAIRWAY_SEALING_KEY"

// sealingKeys are the files with sealing keys, by environment; "" is for all others.
type sealingKeys map[string]string

func addSealingKeys(cmd *cobra.Command, files *[]string) {
	cmd.Flags().StringArrayVar(files, "sealing-key-file", nil,
		"[ENVIRONMENT=]FILE with the key that seals the values of Secrets ("+sealingVariable+", or "+sealingVariable+"_PRODUCTION for one environment)")
}

// readSealingKeys reads the flag.
func readSealingKeys(files []string) (sealingKeys, error) {
	keys := sealingKeys{}
	for _, f := range files {
		environment, file, named := strings.Cut(f, "=")
		if !named {
			environment, file = "", f
		}
		if _, twice := keys[environment]; twice || file == "" {
			return nil, fault.Errorf(fault.Invalid, "--sealing-key-file %s: one file for an environment, or for all", f).
				WithHint("for instance --sealing-key-file staging.key --sealing-key-file production=production.key")
		}
		keys[environment] = file
	}
	return keys, nil
}

var notInVariables = regexp.MustCompile(`[^A-Z0-9]`)

// of is the key for an environment, if there is one: its own before that of all, and the
// flag's before the variable's.
func (k sealingKeys) of(environment string) (key sealed.SealingKey, found bool, err error) {
	own := sealingVariable + "_" + notInVariables.ReplaceAllString(strings.ToUpper(environment), "_")
	for _, source := range []struct{ file, variable string }{{k[environment], own}, {k[""], sealingVariable}} {
		name, text := source.variable, os.Getenv(source.variable)
		if source.file != "" {
			raw, err := os.ReadFile(source.file)
			if err != nil {
				return key, false, fault.Errorf(fault.Invalid, "the sealing key cannot be read: %w", err).
					WithHint("`fairway key --of WORKER-KEY` prints it")
			}
			name, text = source.file, string(raw)
		}
		if text == "" && source.file == "" {
			continue
		}
		if key, err = sealed.ParseSealingKey(text); err != nil {
			return key, false, fault.Errorf(fault.CodeOf(err), "%s: %w", name, err).WithHint("%s", fault.HintOf(err))
		}
		return key, true, nil
	}
	return key, false, nil
}
