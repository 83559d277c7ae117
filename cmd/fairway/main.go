// Fairway takes a release from a green build to production and back.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/fairwayhq/fairway/internal/app"
	"github.com/fairwayhq/fairway/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	root := cli.New(app.Version(), app.Past, app.Find)
	root.AddCommand(app.Commands()...)
	code := cli.Execute(ctx, root)
	stop()
	os.Exit(code)
}
