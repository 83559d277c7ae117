//go:build !crash

package app

import (
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
)

// A build with the tag "crash" can kill itself at every verb and every commit; see
// seam_crash.go. In every other build nothing stands in between.

func seamOfDrive(s drive.Store) drive.Store                { return s }
func seamOfRelease(s release.Store) release.Store          { return s }
func seamOfPlatform(p platform.Platform) platform.Platform { return p }
func seamOfCommands(c stage.Commands) stage.Commands       { return c }
