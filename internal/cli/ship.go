package cli

import (
	"fmt"
	"io"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/api/client"
)

func shipCommand(c *command) *cobra.Command {
	var file, ref, version, note, key string
	var keyFiles, with []string
	var watch bool
	cmd := &cobra.Command{
		Use:   "ship --artifact PATH",
		Short: "Create a release of an artifact",
		Long: `Create a release of an artifact, with the fairway.yaml of this folder.

With --with other services move and return together with it: those that fairway.yaml
names under with. Each goes by its own definition: the file that is named there, or
that of its newest release. What is not named stays as it is.

With --watch the command stays and tells what happens; its exit code says how the
release ended: 0 released, 10 rolled back, 11 failed, 12 superseded or called off.`,
		Example: `  fairway ship --artifact ./build/shop --version v2 --watch
  fairway ship --artifact ./build/shop --version v2 --with payments@v3=../payments/build/payments`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			def, text, err := readDefinition(file)
			if err != nil {
				return err
			}
			files, err := readFiles(def, file)
			if err != nil {
				return err
			}
			a, err := artifactOf(def, ref)
			if err != nil {
				return err
			}
			keys, err := readSealingKeys(keyFiles)
			if err != nil {
				return err
			}
			manifests, err := readManifests(cmd.Context(), def, file, a, keys)
			if err != nil {
				return err
			}
			manifests.tell(cmd.ErrOrStderr())
			others, err := readCompanions(cmd.Context(), with, def, file, keys)
			if err != nil {
				return err
			}
			var components []client.NewComponent
			for _, one := range others {
				one.manifests.tell(cmd.ErrOrStderr())
				components = append(components, one.asked())
			}
			api, err := c.client()
			if err != nil {
				return err
			}
			if key == "" {
				key = ulid.Make().String()
			}
			made, err := api.Create(cmd.Context(), client.NewRelease{
				Definition: string(text), Version: version, Artifact: a.ref, Digest: a.digest, Files: files, Manifests: manifests.objects, Sealed: manifests.sealed, Note: note,
				With: components,
			}, key)
			if err != nil {
				return err
			}
			if watch {
				return c.follow(cmd.Context(), api, made.ID)
			}
			return c.show(made, func(w io.Writer) {
				fmt.Fprintf(w, "Release %s of %s was created.\n%s\nFollow it with `fairway status %s -w`.\n", made.ID, titleOf(made.Release), made.Headline, made.ID)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&file, "file", "f", defaultFile, "the definition")
	flags.StringVar(&ref, "artifact", "", "path, URL or image of the artifact, with @sha256:… where its digest is known")
	flags.StringVar(&version, "version", "", "what people call it")
	flags.StringVar(&note, "note", "", "what people should know of it")
	flags.StringVar(&key, "idempotency-key", "", "the same key again creates no second release")
	flags.BoolVarP(&watch, "watch", "w", false, "stay until it has ended")
	addWith(cmd, &with)
	addSealingKeys(cmd, &keyFiles)
	_ = cmd.MarkFlagRequired("artifact")
	return cmd
}
