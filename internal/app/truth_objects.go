package app

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/manifest/render"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

var _ inquiry.Repositories = truth{}

// Objects renders what the repository says now, give or take checkoutKept, without Secrets:
// what is in a repository without their values, or with others, says nothing about those of a
// release. Values of a chart stand in more files than a repository's place names, so charts
// are not rendered.
func (t truth) Objects(ctx context.Context, where pipeline.Git, target platform.Target, namespace string) ([]json.RawMessage, error) {
	if where.Key != "" {
		return nil, fault.Errorf(fault.Invalid, "the repository of %s holds values of a chart, which say nothing without the chart", target).
			WithHint("the plan is compared with the cluster all the same")
	}
	r, err := t.repository(where)
	if err != nil {
		return nil, err
	}
	var rendered render.Rendered
	// All files, because a kustomization may be made of others.
	err = t.checkouts.read(ctx, r, func(folder string) error {
		rendered, err = render.Render(ctx, render.Source{Base: folder, Path: where.Path, Name: target.Service, Namespace: namespace})
		return err
	})
	if err != nil {
		return nil, err
	}
	var all []json.RawMessage
	for _, o := range rendered.Objects {
		if !o.IsSecret() {
			all = append(all, o.Raw)
		}
	}
	return all, nil
}

// unpackInto writes files below a folder; names that lead out of it are refused.
func unpackInto(folder string, files map[string][]byte) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for name, content := range files {
		if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := root.WriteFile(name, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
