package kubernetes

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// maxPacked bounds a packed revision: annotations may have 256 KiB in all.
const maxPacked = 200 << 10

// pack writes a revision for an annotation.
func pack(r platform.Revision) (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", fault.Errorf(fault.Internal, "encode revision %s: %w", r.ID, err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(text)
	_ = z.Close() // into memory
	packed := base64.StdEncoding.EncodeToString(b.Bytes())
	if len(packed) > maxPacked {
		return "", fault.Errorf(fault.Invalid, "revision %s has %d bytes of manifests and config when packed, more than the %d that fit on an object", r.ID, len(packed), maxPacked).
			WithHint("put large data into the image, or fetch it when a pod starts")
	}
	return packed, nil
}

// unpack reads the revision that a Deployment was written for.
func unpack(d *appsv1.Deployment) (platform.Revision, error) {
	wrong := func(err error) (platform.Revision, error) {
		return platform.Revision{}, fault.Errorf(fault.Invalid, "the annotation %s of Deployment %s cannot be read: %w", placedAnnotation, d.Name, err).
			WithHint("somebody has changed it; delete the Deployment if it is not needed")
	}
	raw, err := base64.StdEncoding.DecodeString(d.Annotations[placedAnnotation])
	if err != nil {
		return wrong(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return wrong(err)
	}
	const most = 16 << 20
	text, err := io.ReadAll(io.LimitReader(z, most))
	if err != nil {
		return wrong(err)
	}
	var r platform.Revision
	if err := json.Unmarshal(text, &r); err != nil {
		return wrong(err)
	}
	if r.ID == "" {
		return wrong(fmt.Errorf("it names no revision"))
	}
	return r, nil
}
