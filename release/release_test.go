// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/sassoftware/go-rpmutils"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newRelease has a small program as each binary.
func newRelease(t *testing.T) *release {
	t.Helper()
	r := &release{
		version: "1.2.3", revision: "abc", root: "..", binaries: t.TempDir(), out: t.TempDir(),
		caBundle: filepath.Join(t.TempDir(), "ca.crt"), date: time.Unix(1764590000, 0).UTC(),
	}
	require.NoError(t, os.WriteFile(r.caBundle, []byte("authorities"), 0o600))
	small := filepath.Join(t.TempDir(), "small")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", small, "./testdata/small")
	printed, err := build.CombinedOutput()
	require.NoError(t, err, string(printed))
	for _, p := range platforms {
		require.NoError(t, os.Mkdir(filepath.Dir(r.binary(p, "x")), 0o700))
		for _, name := range []string{"otelcol-dify", "difyctl"} {
			require.NoError(t, os.Link(small, r.binary(p, name)))
		}
	}
	return r
}

func TestRelease(t *testing.T) {
	r := newRelease(t)
	require.NoError(t, r.make())
	first := content(t, r.file("checksums.txt"))
	for _, name := range []string{
		"otelcol-dify_1.2.3_linux_amd64.tar.gz", "otelcol-dify_1.2.3_linux_arm64.tar.gz", "otelcol-dify_1.2.3_darwin_arm64.tar.gz",
		"otelcol-dify_1.2.3_amd64.deb", "otelcol-dify_1.2.3_arm64.deb", "otelcol-dify-1.2.3-1.x86_64.rpm",
		"otelcol-dify-1.2.3-1.aarch64.rpm", "otelcol-dify_1.2.3_image.oci.tar", "otelcol-dify_1.2.3_sbom.cdx.json",
		"difyctl_1.2.3_sbom.cdx.json", "THIRD_PARTY_LICENSES.txt", "release-notes.md",
	} {
		assert.Contains(t, first, "  "+name+"\n")
	}
	assert.Contains(t, content(t, filepath.Join(r.out, "release-notes.md")), "### Breaking")
	assert.Contains(t, content(t, r.thirdParty()), "golang.org/x/mod v")
	assert.Contains(t, content(t, filepath.Join(r.out, "difyctl_1.2.3_sbom.cdx.json")), "pkg:golang/golang.org/x/mod@v")

	t.Run("deb", func(t *testing.T) { checkDeb(t, filepath.Join(r.out, "otelcol-dify_1.2.3_amd64.deb")) })
	t.Run("rpm", func(t *testing.T) { checkRPM(t, filepath.Join(r.out, "otelcol-dify-1.2.3-1.x86_64.rpm")) })
	t.Run("image", func(t *testing.T) { checkImage(t, r.file("image.oci.tar")) })

	r.out = t.TempDir()
	require.NoError(t, r.make())
	assert.Equal(t, first, content(t, r.file("checksums.txt")), "a second time")
}

func TestMissingFlags(t *testing.T) {
	require.ErrorContains(t, new(release).make(), "-version")
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// installed are the files of a package, with their modes.
var installed = map[string]os.FileMode{
	"/usr/bin/otelcol-dify": 0o755, "/usr/bin/difyctl": 0o755, "/etc/otelcol-dify/otelcol-dify.env": 0o600,
	"/etc/otelcol-dify/collector.yaml": 0o644, "/etc/otelcol-dify/overlays/auth.yaml": 0o644,
	"/usr/lib/systemd/system/otelcol-dify.service": 0o644, "/usr/lib/sysusers.d/otelcol-dify.conf": 0o644,
}

func checkDeb(t *testing.T, path string) {
	t.Helper()
	files, err := exec.CommandContext(t.Context(), "dpkg-deb", "--fsys-tarfile", path).Output()
	require.NoError(t, err)
	modes := map[string]os.FileMode{}
	for archive := tar.NewReader(bytes.NewReader(files)); ; {
		header, end := archive.Next()
		if errors.Is(end, io.EOF) {
			break
		}
		require.NoError(t, end)
		modes[strings.TrimPrefix(header.Name, ".")] = os.FileMode(header.Mode)
	}
	for file, mode := range installed {
		assert.Equal(t, mode, modes[file], file)
	}
	kept, err := exec.CommandContext(t.Context(), "dpkg-deb", "--info", path, "conffiles").Output()
	require.NoError(t, err)
	assert.Contains(t, string(kept), "/etc/otelcol-dify/collector.yaml\n")
	assert.Contains(t, string(kept), "/etc/otelcol-dify/otelcol-dify.env\n")
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		assert.NoError(t, exec.CommandContext(t.Context(), "dpkg-deb", "--info", path, script).Run(), script)
	}
}

func checkRPM(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	read, err := rpmutils.ReadRpm(file)
	require.NoError(t, err)
	name, err := read.Header.GetNEVRA()
	require.NoError(t, err)
	assert.Equal(t, "otelcol-dify-1.2.3-1.x86_64", strings.TrimSuffix(strings.Replace(name.String(), "0:", "", 1), ".rpm"))
	files, err := read.Header.GetFiles()
	require.NoError(t, err)
	modes := map[string]os.FileMode{}
	for _, file := range files {
		modes[file.Name()] = os.FileMode(file.Mode()).Perm()
	}
	for file, mode := range installed {
		assert.Equal(t, mode, modes[file], file)
	}
}

// The image is what the Dockerfile describes.
func checkImage(t *testing.T, path string) {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, exec.CommandContext(t.Context(), "tar", "-xf", path, "-C", folder).Run())
	outer, err := layout.ImageIndexFromPath(folder)
	require.NoError(t, err)
	manifest, err := outer.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, 1)
	assert.Equal(t, "1.2.3", manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"])
	index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	require.NoError(t, err)
	require.NoError(t, validate.Index(index))
	manifest, err = index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, 2)
	dockerfile := content(t, filepath.Join("..", "Dockerfile"))
	for _, descriptor := range manifest.Manifests {
		image, err := index.Image(descriptor.Digest)
		require.NoError(t, err)
		file, err := image.ConfigFile()
		require.NoError(t, err)
		assert.Equal(t, descriptor.Platform.Architecture, file.Architecture)
		checkConfig(t, file, dockerfile)
	}
}

func checkConfig(t *testing.T, file *v1.ConfigFile, dockerfile string) {
	t.Helper()
	for _, want := range append([]string{
		"USER " + file.Config.User, `ENTRYPOINT ["` + strings.Join(file.Config.Entrypoint, `", "`) + `"]`,
		`CMD ["` + strings.Join(file.Config.Cmd, `", "`) + `"]`, "VOLUME /var/lib/otelcol-dify",
		"HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD [\"" +
			strings.Join(file.Config.Healthcheck.Test[1:], `", "`) + `"]`,
	}, file.Config.Env...) {
		assert.Contains(t, dockerfile, want)
	}
	_, ports, _ := strings.Cut(dockerfile, "EXPOSE ")
	ports, _, _ = strings.Cut(ports, "\n")
	assert.Len(t, file.Config.ExposedPorts, len(strings.Fields(ports)))
	for port := range strings.FieldsSeq(ports) {
		assert.Contains(t, file.Config.ExposedPorts, port+"/tcp")
	}
	for name, value := range file.Config.Labels {
		if name != "org.opencontainers.image.version" && name != "org.opencontainers.image.revision" {
			assert.Contains(t, dockerfile, name+`="`+value+`"`)
		}
	}
}
