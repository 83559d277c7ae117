package app

import "runtime/debug"

// version is set by the build.
var version = ""

// Version names the build: the release, or the commit.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
