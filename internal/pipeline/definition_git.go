package pipeline

import "time"

// GitDefinition is the repository that holds the truth about what should run. It is left
// alone while a release is on trial; once it is proven, its image is committed there.
type GitDefinition struct {
	// Repository is the URL.
	Repository string `yaml:"repository" check:"repository" example:"https://github.com/acme/deploy.git"`
	// Branch is where the truth is.
	Branch string `yaml:"branch" check:"branch" default:"main"`
	// Path is the folder or file that names the image: plain YAML with the Deployment, a
	// Kustomize folder, or a chart's values with `key`.
	Path string `yaml:"path" check:"relative" example:"apps/shop/production"`
	// Key is the dotted path of the value in a chart's values.
	Key string `yaml:"key" example:"image.digest"`
	// Image is the image's name in a kustomization, where that is another than the artifact's.
	Image string `yaml:"image" example:"shop"`
	// Token is a secret for https, as a reference. Without it: what git itself finds.
	Token string `yaml:"token" check:"secret" example:"env:GIT_TOKEN"`
	// PullRequest asks people to merge the change, instead of pushing it to the branch.
	PullRequest *bool `yaml:"pullRequest" default:"false"`
	// Controller is who updates the Deployment from the repository. With `none` Fairway
	// does it itself; otherwise it waits until that has happened.
	Controller string `yaml:"controller" enum:"none argocd flux" default:"none"`
}

// mergeGit lays an environment's settings over those for all; either may be nil.
func mergeGit(all, own *GitDefinition) GitDefinition {
	var g GitDefinition
	for _, layer := range []*GitDefinition{all, own} {
		if layer == nil {
			continue
		}
		replace(&g.Repository, layer.Repository, layer.Repository != "")
		replace(&g.Branch, layer.Branch, layer.Branch != "")
		replace(&g.Path, layer.Path, layer.Path != "")
		replace(&g.Key, layer.Key, layer.Key != "")
		replace(&g.Image, layer.Image, layer.Image != "")
		replace(&g.Token, layer.Token, layer.Token != "")
		replace(&g.PullRequest, layer.PullRequest, layer.PullRequest != nil)
		replace(&g.Controller, layer.Controller, layer.Controller != "")
	}
	return g
}

// compileGit resolves where the truth about an environment is; nil where nothing says so.
func (c *compiler) compileGit(e EnvironmentDefinition) *Git {
	g := mergeGit(c.def.Git, e.Git)
	if g.Repository == "" {
		return nil
	}
	fillDefaults(&g)
	k := kubernetesNames(c.def.Service, mergeKubernetes(c.def.Kubernetes, e.Kubernetes))
	return &Git{
		Repository: g.Repository, Branch: g.Branch, Path: g.Path, Key: g.Key, Image: g.Image, Token: g.Token,
		Deployment: k.Deployment, Container: k.Container, PullRequest: *g.PullRequest, Controller: controller(g),
	}
}

// controller is the name of who updates the home from the repository; empty is Fairway.
func controller(g GitDefinition) string {
	if g.Repository == "" || g.Controller == "none" {
		return ""
	}
	return g.Controller
}

// How long people may take to merge, and controllers to follow, beyond a stage's own limit.
const (
	mergeLimit      = gateLimit
	controllerLimit = Duration(20 * time.Minute)
)

// patience is how much longer a stage takes that waits for the repository.
func (g *Git) patience() Duration {
	var d Duration
	if g.PullRequest {
		d += mergeLimit
	}
	if g.Controller != "" {
		d += controllerLimit
	}
	return d
}
