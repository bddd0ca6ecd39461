// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Command release makes the files of a release from binaries that `make release` has built: archives, packages for
// Debian and Red Hat, a container image, the licenses and the bill of materials of what is linked, the notes and the
// checksums.
package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// release is what all files have in common.
type release struct {
	version  string // x.y.z
	revision string // of the repository
	root     string // of the repository
	binaries string // folder with a folder for each platform, such as linux-amd64
	caBundle string // certificate authorities that the image trusts
	out      string
	date     time.Time // of everything in archives, so that they can be reproduced
}

// platforms of the binaries. The first two are also those of packages and images.
var platforms = []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "arm64"}}

type platform struct{ os, arch string }

func main() {
	var r release
	var date int64
	flag.StringVar(&r.version, "version", "", "of the release, such as 1.2.3")
	flag.StringVar(&r.revision, "revision", "unknown", "commit that the binaries were built from")
	flag.StringVar(&r.root, "root", "..", "`folder` of the repository")
	flag.StringVar(&r.binaries, "binaries", "", "`folder` with a folder for each platform, such as linux-amd64")
	flag.StringVar(&r.caBundle, "ca-bundle", "/etc/ssl/certs/ca-certificates.crt",
		"`file` with the certificate authorities that the image trusts")
	flag.StringVar(&r.out, "out", "", "`folder` to write to")
	flag.Int64Var(&date, "date", 0, "of the files in archives, in seconds since 1970: that of the commit")
	flag.Parse()
	r.date = time.Unix(date, 0).UTC()
	if err := r.make(); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func (r *release) make() error {
	if r.version == "" || r.binaries == "" || r.out == "" {
		return errors.New("-version, -binaries and -out are needed")
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	for _, step := range []func() error{r.notes, r.licenses, r.boms, r.archives, r.packages, r.image, r.checksums} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// file returns the path of a file of the release, such as otelcol-dify_1.2.3_linux_amd64.tar.gz.
func (r *release) file(suffix string) string {
	return filepath.Join(r.out, "otelcol-dify_"+r.version+"_"+suffix)
}

func (r *release) binary(p platform, name string) string {
	return filepath.Join(r.binaries, p.os+"-"+p.arch, name)
}

// notes writes the section of the version in CHANGELOG.md, or the one that has no version yet.
func (r *release) notes() error {
	text, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	for _, heading := range []string{r.version, "Unreleased"} {
		_, section, found := strings.Cut(string(text), "\n## "+heading)
		if !found {
			continue
		}
		_, section, _ = strings.Cut(section, "\n") // the date
		section, _, _ = strings.Cut(section, "\n## ")
		return r.write(filepath.Join(r.out, "release-notes.md"), strings.TrimSpace(section)+"\n")
	}
	return fmt.Errorf("CHANGELOG.md has neither a section %s nor Unreleased", r.version)
}

// checksums writes the SHA-256 of each file, as `sha256sum --check` reads it.
func (r *release) checksums() error {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(r.out, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), entry.Name())
	}
	return r.write(r.file("checksums.txt"), sums.String())
}

func (*release) write(path, text string) error {
	return os.WriteFile(path, []byte(text), 0o644)
}
