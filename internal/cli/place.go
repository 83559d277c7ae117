package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// printPlace says where on a cluster an environment runs, and what splits its traffic.
func printPlace(w io.Writer, e pipeline.Environment) {
	var s struct {
		Context, Namespace, Deployment, Service string
		Route                                   struct{ Kind, Name string }
		Objects                                 []json.RawMessage
	}
	if e.Platform != "kubernetes" || json.Unmarshal(e.Settings, &s) != nil {
		return
	}
	split := "the number of pods behind the Service"
	if s.Route.Name != "" {
		split = s.Route.Kind + " " + s.Route.Name
	}
	fmt.Fprintf(w, "  Deployment %s and Service %s in the namespace %s%s; traffic is split by %s\n",
		s.Deployment, s.Service, s.Namespace, inContext(s.Context), split)
	if n := len(s.Objects); n > 0 {
		fmt.Fprintf(w, "  rendered objects: %d\n", n)
	}
}

func inContext(name string) string {
	if name == "" {
		return ""
	}
	return " of the cluster " + name
}
