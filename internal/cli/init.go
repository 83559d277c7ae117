package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// toBeSaid is what only the service's people know, by platform.
var toBeSaid = map[string]string{
	pipeline.PlatformHost:       "how your service starts",
	pipeline.PlatformKubernetes: "where your service and its Prometheus are",
}

func initCommand(c *command) *cobra.Command {
	var service, platform string
	cmd := &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Write a fairway.yaml to start from",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			abs, err := filepath.Abs(dir)
			if err != nil {
				return fault.Errorf(fault.Invalid, "the folder %s has no absolute path: %w", dir, err)
			}
			if service == "" {
				service = filepath.Base(abs)
			}
			text, err := pipeline.Starter(service, platform)
			if err != nil {
				return err
			}
			path := filepath.Join(dir, defaultFile)
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return fault.Errorf(fault.Conflict, "%s is there already", path).WithHint("look at it with `fairway check`, or remove it first")
			}
			if err != nil {
				return fault.Errorf(fault.Invalid, "write %s: %w", path, err)
			}
			_, err = f.Write(text)
			if err := errors.Join(err, f.Close()); err != nil {
				return fault.Errorf(fault.Unavailable, "write %s: %w", path, err)
			}
			fmt.Fprintf(c.out, "Wrote %s. Say in it %s, then look at what it does:\n\n  fairway plan\n", path, toBeSaid[platform])
			return nil
		},
	}
	cmd.Flags().StringVar(&platform, "platform", pipeline.PlatformHost, "where the service runs: "+strings.Join(pipeline.StarterPlatforms(), ", "))
	cmd.Flags().StringVar(&service, "service", "", "name of the service (default: the folder's)")
	return cmd
}
