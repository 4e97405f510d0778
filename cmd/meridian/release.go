package main

import "runtime/debug"

// release is the version that the source stands for.
const release = "0.1.0"

// versionText is the version of this binary: the release, and the commit where
// the build recorded one.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return release + "+" + s.Value[:12]
		}
	}
	return release
}
