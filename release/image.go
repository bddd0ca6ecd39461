// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user of the image, as in the Dockerfile.
const user = 10001

// image writes an OCI archive with an image for each platform of Linux, with the content of the Dockerfile's.
func (r *release) image() (err error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		if p.os != "linux" {
			continue
		}
		image, imageErr := r.imageFor(p)
		if imageErr != nil {
			return imageErr
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.os, Architecture: p.arch}},
		})
	}
	folder, err := os.MkdirTemp("", "otelcol-dify-image")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	name := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": r.version})
	err = path.AppendIndex(index, name)
	if err != nil {
		return err
	}
	out, err := os.Create(r.file("image.oci.tar"))
	if err != nil {
		return err
	}
	files := map[string]string{}
	for _, entry := range []string{"blobs", "index.json", "oci-layout"} {
		files[entry] = filepath.Join(folder, entry)
	}
	return errors.Join(r.tar(out, "", files, 0), out.Close())
}

func (r *release) imageFor(p platform) (v1.Image, error) {
	storage, err := os.MkdirTemp("", "otelcol-dify-storage")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(storage)
	layers := []struct {
		owner int
		files map[string]string
	}{
		{0, map[string]string{"etc/ssl/certs/ca-certificates.crt": r.caBundle}},
		{0, map[string]string{"otelcol-dify": r.binary(p, "otelcol-dify"), "difyctl": r.binary(p, "difyctl")}},
		{0, map[string]string{
			"etc/otelcol-dify/collector.yaml": filepath.Join(r.root, "config", "collector.yaml"),
			"etc/otelcol-dify/overlays":       filepath.Join(r.root, "config", "overlays"),
			"licenses/LICENSE":                filepath.Join(r.root, "LICENSE"),
			"licenses/THIRD_PARTY.txt":        r.thirdParty(),
		}},
		{user, map[string]string{"var/lib/otelcol-dify": storage}}, // the only folder that the collector writes to
	}
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	for _, l := range layers {
		var content bytes.Buffer
		err = r.tar(&content, "", l.files, l.owner)
		if err != nil {
			return nil, err
		}
		var layer v1.Layer
		layer, err = tarball.LayerFromOpener(func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(content.Bytes())), nil
		}, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return nil, err
		}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			return nil, err
		}
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = p.os, p.arch
	file.Created = v1.Time{Time: r.date}
	file.Config = v1.Config{
		User:         "10001:10001",
		Env:          []string{"GOMEMLIMIT=800MiB"},
		Entrypoint:   []string{"/otelcol-dify"},
		Cmd:          []string{"--config=/etc/otelcol-dify/collector.yaml"},
		Volumes:      map[string]struct{}{"/var/lib/otelcol-dify": {}},
		ExposedPorts: map[string]struct{}{},
		Labels: map[string]string{
			"org.opencontainers.image.title":         "otelcol-dify",
			"org.opencontainers.image.description":   "OpenTelemetry Collector distribution for self-hosted Dify",
			"org.opencontainers.image.version":       r.version,
			"org.opencontainers.image.revision":      r.revision,
			"org.opencontainers.image.source":        "https://github.com/otelcol-dify/otelcol-dify",
			"org.opencontainers.image.documentation": "https://github.com/otelcol-dify/otelcol-dify/tree/main/docs",
			"org.opencontainers.image.vendor":        "The otelcol-dify Authors",
			"org.opencontainers.image.licenses":      "Apache-2.0",
		},
		Healthcheck: &v1.HealthConfig{
			Test:     []string{"CMD", "/difyctl", "health"},
			Interval: 10 * time.Second, Timeout: 5 * time.Second, StartPeriod: 20 * time.Second, Retries: 3,
		},
	}
	for _, port := range []string{"4317", "4318", "8888", "8889", "13133", "13134"} {
		file.Config.ExposedPorts[port+"/tcp"] = struct{}{}
	}
	return mutate.ConfigFile(image, file)
}
