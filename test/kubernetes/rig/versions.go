package rig

import (
	"github.com/fairwayhq/fairway/test/cluster"
)

// Version is a build of examples/shop.
type Version struct {
	Name string
	// Flags are what the build is given, as -ldflags.
	Flags string
}

// Good versions, equal but for their names: of a thousand answers five fail, all take some
// milliseconds.
var (
	V1 = version("v1", "0.005")
	V2 = version("v2", "0.005")
)

// Calm versions are good ones without errors of their own, for where every failed request
// is somebody else's.
var (
	Calm1 = version("calm1", "0")
	Calm2 = version("calm2", "0")
)

// Bad versions are V2 with a fault more; what the fault does is marked in the answers.
var (
	Fails100 = bad("v3-fails100", "-X main.errorRate=1")
	Fails10  = bad("v3-fails10", "-X main.errorRate=0.10")
	Fails2   = bad("v3-fails2", "-X main.errorRate=0.02")
	Late     = bad("v3-late", "-X main.delay=300ms")
)

func version(name, errors string) Version {
	return Version{name, "-X main.tail=0 -X main.version=" + name + " -X main.baseErrorRate=" + errors}
}

func bad(name, fault string) Version {
	v := version(name, "0.005")
	v.Flags += " " + fault
	return v
}

// Image is what pods call it.
func (v Version) Image() string { return "fairway.test/shop:" + v.Name }

func (v Version) image() cluster.Image {
	return cluster.Image{Name: v.Image(), Package: "github.com/fairwayhq/fairway/examples/shop", LDFlags: v.Flags}
}
