package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func checkCommand(c *command) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find every fault of a fairway.yaml, without a server",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			def, _, err := readDefinition(file)
			if err != nil {
				return err
			}
			if _, err := readFiles(def, file); err != nil {
				return err
			}
			with, err := checkCompanions(cmd.Context(), def, file)
			if err != nil {
				return err
			}
			return c.show(map[string]any{"ok": true, "service": def.Service, "faults": []string{}}, func(w io.Writer) {
				fmt.Fprintf(w, "%s is in order: service %s, %d environment(s).\n", file, def.Service, len(def.Environments))
				if len(with) > 0 {
					fmt.Fprintf(w, "So are those that may be released with it, in this order before it: %s.\n", strings.Join(with, ", "))
				}
			})
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", defaultFile, "the definition")
	return cmd
}
