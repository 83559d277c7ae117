package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
)

func evidenceCommand(c *command) *cobra.Command {
	var e client.Evidence
	var ref, data string
	cmd := &cobra.Command{
		Use:   "evidence --artifact PATH [--kind KIND --status STATUS]",
		Short: "Add a fact about an artifact, or list what is known of it",
		Example: `  fairway evidence --artifact ./build/shop --kind tests --status passed --data '{"count": 812}'
  fairway evidence --digest sha256:…`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := aboutWhat(&e, ref, data); err != nil {
				return err
			}
			api, err := c.client()
			if err != nil {
				return err
			}
			if e.Kind == "" {
				page, err := api.Evidence(cmd.Context(), e.Digest)
				if err != nil {
					return err
				}
				return c.show(page, func(w io.Writer) {
					var rows [][]string
					for _, f := range page.Items {
						rows = append(rows, []string{f.Kind, f.Name, f.Status, f.By, ago(f.At), f.URL})
					}
					printTable(w, []string{"KIND", "NAME", "STATUS", "BY", "WHEN", "WHERE"}, rows)
				})
			}
			made, err := api.AddEvidence(cmd.Context(), e)
			if err != nil {
				return err
			}
			return c.show(made, func(w io.Writer) {
				fmt.Fprintf(w, "Noted: %s %s for %s.\n", made.Kind, made.Status, short(made.Digest))
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&ref, "artifact", "", "the artifact that the fact is about")
	flags.StringVar(&e.Digest, "digest", "", "or its digest")
	flags.StringVar(&e.Kind, "kind", "", "what sort of fact: tests, scan, ci …")
	flags.StringVar(&e.Name, "name", "", "what it is called")
	flags.StringVar(&e.Status, "status", "", "passed, failed, or what a gate looks for")
	flags.StringVar(&e.URL, "url", "", "where people find more")
	flags.StringVar(&data, "data", "", "numbers for gates, as a JSON object")
	return cmd
}

// aboutWhat fills in the digest and the data.
func aboutWhat(e *client.Evidence, ref, data string) error {
	switch {
	case ref != "":
		a, err := readArtifact(ref)
		if err != nil {
			return err
		}
		e.Digest = a.digest
	case e.Digest == "":
		return fault.Errorf(fault.Invalid, "it is not said which artifact the fact is about").WithHint("give --artifact or --digest")
	}
	if strings.TrimSpace(data) == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(data), &e.Data); err != nil {
		return fault.Errorf(fault.Invalid, "--data is not a JSON object: %w", err).WithHint(`for instance --data '{"count": 812}'`)
	}
	return nil
}
