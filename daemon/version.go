package daemon

import "runtime/debug"

// version is that of a release; release/build puts it in.
var version string

// Version returns the version of the build, "(devel)" if it has none.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
