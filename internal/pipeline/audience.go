package pipeline

import (
	"regexp"
	"strings"
)

// What a header and a cookie with their values look like: tokens, and values that need no
// quotes.
var (
	headerText = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]{1,128}: *[^\s].*$`)
	cookieText = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]{1,128}=[^\s";,\\]+$`)
)

// audience checks that requests can be chosen, and that the environment can send them.
func (v *validator) audience(path string, e *EnvironmentDefinition, a *AudienceDefinition) {
	if a == nil || v.unread[path] {
		return
	}
	if (a.Header == "") == (a.Cookie == "") && !v.unread[path+".header"] && !v.unread[path+".cookie"] {
		v.fault(v.key(path), "for instance: audience: {header: \"X-Canary: yes\", for: 10m}", "an audience is chosen by a header or by a cookie")
	}
	if a.Header != "" && !headerText.MatchString(a.Header) {
		v.fault(v.at(path+".header"), `for instance: header: "X-Canary: yes"`, "%q is not the name of a header and its value", a.Header)
	}
	if a.Cookie != "" && !cookieText.MatchString(a.Cookie) {
		v.fault(v.at(path+".cookie"), "for instance: cookie: beta=1", "%q is not the name of a cookie and its value", a.Cookie)
	}
	k := mergeKubernetes(v.def.Kubernetes, e.Kubernetes)
	switch {
	case e.Platform != "kubernetes":
		v.fault(v.key(path), "leave the audience out", "requests are chosen by a route of Kubernetes, and the environment %q is on another platform", e.Name)
	case k.Split == "pods":
		v.fault(v.key(path), "leave the audience out, or split the traffic by a route", "requests are chosen by a route, and the environment %q has none", e.Name)
	}
}

// String says what the requests have.
func (a Audience) String() string {
	if a.Cookie != "" {
		return "the cookie " + a.Cookie + "=" + a.Value
	}
	return "the header " + a.Header + ": " + a.Value
}

func compileAudience(def *AudienceDefinition) *Audience {
	if def == nil {
		return nil
	}
	full := *def
	fillDefaults(&full)
	a := &Audience{For: full.For}
	if name, value, ok := strings.Cut(full.Header, ":"); ok {
		a.Header, a.Value = name, strings.TrimSpace(value)
	} else {
		a.Cookie, a.Value, _ = strings.Cut(full.Cookie, "=")
	}
	return a
}
