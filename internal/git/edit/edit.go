// Package edit sets a container image in the files of a deployment repository: in place,
// so that comments, order and formatting stay as people wrote them. Besides the value
// that is set, not a byte changes.
//
// It knows three ways in which repositories say which image runs:
//
//   - plain YAML (or JSON): the image of a container of a Deployment;
//   - Kustomize: an entry of images in the kustomization of a folder, added if missing;
//   - Helm: a value by its dotted key, such as image.digest.
//
// It is pure: files come in by a Tree, and what is to be written comes out. It renders
// nothing, and never writes out a document that it has parsed: it finds the place of a
// value, replaces the bytes there, reads the result again, and gives up unless that
// value, and nothing else, has changed.
//
//	image, err := edit.ParseImage("registry.example.com/shop:v2@sha256:4f2a…")
//	result, err := edit.Image(tree, edit.Place{Path: "apps/shop", Deployment: "shop"}, image)
//	for path, text := range result.Changed { … }
package edit

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Place says which image is meant.
type Place struct {
	// Path is a folder or a file of the repository, with slashes; empty or "." is the
	// whole repository.
	Path string
	// Key is the dotted path of a value, such as image.digest, in the Helm values that
	// Path leads to: a file, or values.yaml in a folder. A dot in a name is written \.
	// and an element of a list is named by its number. Where the last name ends in
	// "digest" the digest is written there; where it ends in "tag", the tag with the
	// digest; elsewhere the whole image.
	Key string
	// Deployment is the name of the Deployment in plain YAML, and Namespace where it is
	// in several of them (empty: any). Container may be empty where there is only one.
	Deployment, Namespace, Container string
	// Name is the image as a kustomization's resources write it, without tag and digest;
	// empty where that is the image's own name.
	Name string
}

// Tree is the files of a repository at one commit.
type Tree struct {
	// Paths are the names of all files, with slashes, as the repository has them.
	Paths []string
	// Read returns the contents of some of them, by their names.
	Read func(paths ...string) (map[string][]byte, error)
}

// Result is what has to be written.
type Result struct {
	// Changed are the new contents of files, by their names. It is empty where the
	// image is set already.
	Changed map[string][]byte
	// File is where the image is set.
	File string
	// Before is the value that stood there, as it was written; empty if there was none.
	Before string
}

// Image sets an image. A place that does not exist is fault.NotFound; one that is not
// clear, or cannot be edited in place, is fault.Invalid. Errors of tree.Read are returned
// as they are.
func Image(tree Tree, place Place, image Ref) (Result, error) {
	place.Path = clean(place.Path)
	if !exists(tree.Paths, place.Path) {
		return Result{}, fault.Errorf(fault.NotFound, "the repository has no %q", place.Path).
			WithHint("name a folder or a file that is there, relative to the repository's root")
	}
	if place.Key != "" {
		return setValue(tree, place, image)
	}
	kustomization, err := kustomizationOf(tree, place.Path)
	if err != nil {
		return Result{}, err
	}
	if kustomization != "" {
		return setKustomization(tree, kustomization, place, image)
	}
	return setManifest(tree, place, image)
}

// clean makes a path of the repository one that can be compared; "." is its root.
func clean(p string) string { return path.Clean(strings.TrimPrefix(p, "/")) }

// exists tells whether there is such a file, or a folder with files.
func exists(paths []string, p string) bool {
	return slices.ContainsFunc(paths, func(file string) bool { return file == p || within(file, p) })
}

// within tells whether a file lies in a folder, or below it.
func within(file, folder string) bool {
	return folder == "." || strings.HasPrefix(file, folder+"/")
}

// readOne reads a single file.
func readOne(tree Tree, file string) ([]byte, error) {
	texts, err := tree.Read(file)
	if err != nil {
		return nil, err
	}
	return texts[file], nil
}

// outcome is the result of the edits of one file.
func outcome(file, before string, old, edited []byte) Result {
	r := Result{File: file, Before: before}
	if string(old) != string(edited) {
		r.Changed = map[string][]byte{file: edited}
	}
	return r
}

// listed names things for a hint, in order and not too many of them.
func listed[V any](names map[string]V) string {
	const most = 8
	sorted := slices.Sorted(maps.Keys(names))
	if len(sorted) > most {
		sorted = append(sorted[:most], "…")
	}
	return strings.Join(sorted, ", ")
}
