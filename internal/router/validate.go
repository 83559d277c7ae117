package router

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Validate returns the first fault of a route that is to serve traffic.
func (r Route) Validate() error {
	if r.Fence < 0 {
		return fault.Errorf(fault.Invalid, "fence %d is negative", r.Fence)
	}
	if _, port, err := net.SplitHostPort(r.Listen); err != nil || !isPort(port) {
		return fault.Errorf(fault.Invalid, "listen %q is not an address", r.Listen).
			WithHint("write host and port, for instance 127.0.0.1:8080")
	}
	for _, h := range r.Hosts {
		if h == "" || strings.ContainsAny(h, ":/ ") || h != strings.ToLower(h) {
			return fault.Errorf(fault.Invalid, "host %q is not a lower-case name without port", h)
		}
	}
	if r.DrainTimeout < 0 || r.Timeout < 0 {
		return fault.Errorf(fault.Invalid, "a time limit is negative")
	}
	if r.Sticky != nil {
		if err := r.Sticky.Validate(); err != nil {
			return err
		}
	}
	return r.validateArms()
}

func (r Route) validateArms() error {
	if len(r.Arms) == 0 {
		return fault.Errorf(fault.Invalid, "the route has no arms").
			WithHint("give at least one revision with its backends")
	}
	sum, seen := 0, map[string]bool{}
	for _, a := range r.Arms {
		if a.Revision == "" || seen[a.Revision] {
			return fault.Errorf(fault.Invalid, "revision %q is empty or given twice", a.Revision)
		}
		if !httpguts.ValidHeaderFieldValue(a.Revision) {
			return fault.Errorf(fault.Invalid, "revision %q has a control character", a.Revision)
		}
		seen[a.Revision] = true
		if err := a.validate(); err != nil {
			return err
		}
		sum += a.Weight
	}
	if sum != Whole {
		return fault.Errorf(fault.Invalid, "the weights sum to %d, not to %d", sum, Whole).
			WithHint("weights are parts per million of the route's traffic")
	}
	return nil
}

func (a Arm) validate() error {
	if a.Weight < 0 || a.Weight > Whole {
		return fault.Errorf(fault.Invalid, "weight %d of revision %s is not between 0 and %d", a.Weight, a.Revision, Whole)
	}
	if a.Weight > 0 && len(a.Backends) == 0 {
		return fault.Errorf(fault.Invalid, "revision %s has weight but no backend", a.Revision).
			WithHint("place the revision and wait until an instance is ready before giving it traffic")
	}
	if a.Fault != nil {
		if err := a.Fault.Validate(); err != nil {
			return err
		}
	}
	for i, b := range a.Backends {
		host, port, err := net.SplitHostPort(b.Address)
		if err != nil || host == "" || !isPort(port) || port == "0" {
			return fault.Errorf(fault.Invalid, "backend %q of revision %s is not an address", b.Address, a.Revision)
		}
		if slices.ContainsFunc(a.Backends[:i], func(o Backend) bool { return o.Address == b.Address }) {
			return fault.Errorf(fault.Invalid, "backend %s of revision %s is given twice", b.Address, a.Revision)
		}
	}
	return nil
}

// Validate returns the first fault of the stickiness.
func (s Sticky) Validate() error {
	switch {
	case (s.Cookie == "") == (s.Header == ""):
		return fault.Errorf(fault.Invalid, "stickiness needs either a cookie or a header")
	case !httpguts.ValidHeaderFieldName(s.Cookie + s.Header):
		return fault.Errorf(fault.Invalid, "%q is not a name for a cookie or header", s.Cookie+s.Header)
	case s.MaxAge < 0:
		return fault.Errorf(fault.Invalid, "the cookie's maximum age is negative")
	}
	return nil
}

// Validate returns the first fault of a whole table, as read from disk.
func (t Table) Validate() error {
	if t.Version != TableVersion {
		return fault.Errorf(fault.Invalid, "the table has version %d, this router reads %d", t.Version, TableVersion)
	}
	for target, r := range t.Routes {
		if target == "" {
			return fault.Errorf(fault.Invalid, "a route has no target")
		}
		if !r.Served() {
			continue
		}
		if err := r.Validate(); err != nil {
			return fault.Errorf(fault.CodeOf(err), "route %s: %w", target, err)
		}
		if err := t.fits(target, r); err != nil {
			return err
		}
	}
	return nil
}

// fits refuses a route whose address another route already answers for.
func (t Table) fits(target string, r Route) error {
	for other, o := range t.Routes {
		if other == target || !o.Served() || o.Listen != r.Listen {
			continue
		}
		if o.TLS != r.TLS {
			return fault.Errorf(fault.Conflict, "routes %s and %s share %s, but only one of them with TLS", target, other, r.Listen)
		}
		if len(o.Hosts) == 0 && len(r.Hosts) == 0 {
			return fault.Errorf(fault.Conflict, "route %s already answers on %s", other, r.Listen).
				WithHint("choose another address, or give both routes distinct hosts")
		}
		for _, h := range r.Hosts {
			if slices.Contains(o.Hosts, h) {
				return fault.Errorf(fault.Conflict, "route %s already answers to %s on %s", other, h, r.Listen)
			}
		}
	}
	return nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n <= 65535
}
