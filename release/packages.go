// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers the format
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers the format
)

// packages writes a deb and an rpm for each platform of Linux.
func (r *release) packages() error {
	for _, format := range []string{"deb", "rpm"} {
		for _, p := range platforms {
			if p.os != "linux" {
				continue
			}
			if err := r.pack(p, format); err != nil {
				return fmt.Errorf("%s of %s: %w", format, p.arch, err)
			}
		}
	}
	return nil
}

func (r *release) pack(p platform, format string) (err error) {
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	contents, err := r.contents(p)
	if err != nil {
		return err
	}
	info := nfpm.WithDefaults(&nfpm.Info{
		Name:        "otelcol-dify",
		Arch:        p.arch,
		Platform:    "linux",
		Version:     r.version,
		Section:     "net",
		Priority:    "optional",
		Maintainer:  "The otelcol-dify Authors",
		Description: "OpenTelemetry Collector distribution for self-hosted Dify",
		Homepage:    "https://github.com/otelcol-dify/otelcol-dify",
		License:     "Apache-2.0",
		MTime:       r.date,
		Overridables: nfpm.Overridables{
			Contents: contents,
			Scripts: nfpm.Scripts{
				PostInstall: r.source("postinstall.sh"), PreRemove: r.source("preremove.sh"), PostRemove: r.source("postremove.sh"),
			},
			RPM: nfpm.RPM{BuildHost: "otelcol-dify"},
		},
	})
	err = nfpm.PrepareForPackager(info, format)
	if err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(r.out, packager.ConventionalFileName(info)))
	if err != nil {
		return err
	}
	return errors.Join(packager.Package(info, out), out.Close())
}

func (r *release) source(name string) string { return filepath.Join(r.root, "release", "files", name) }

// contents returns the files of a package. Those that an operator changes are kept at an upgrade.
func (r *release) contents(p platform) (files.Contents, error) {
	const configuration = files.TypeConfigNoReplace
	var contents files.Contents
	add := func(source, destination, kind string, mode fs.FileMode) {
		contents = append(contents, &files.Content{
			Source: source, Destination: destination, Type: kind,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: r.date},
		})
	}
	for _, name := range []string{"otelcol-dify", "difyctl"} {
		add(r.binary(p, name), "/usr/bin/"+name, "", 0o755)
	}
	add(r.source("otelcol-dify.service"), "/usr/lib/systemd/system/otelcol-dify.service", "", 0o644)
	add(r.source("sysusers.conf"), "/usr/lib/sysusers.d/otelcol-dify.conf", "", 0o644)
	// systemd reads it as root. It has passwords.
	add(r.source("environment"), "/etc/otelcol-dify/otelcol-dify.env", configuration, 0o600)
	add(filepath.Join(r.root, "config", "collector.yaml"), "/etc/otelcol-dify/collector.yaml", configuration, 0o644)
	add(filepath.Join(r.root, "LICENSE"), "/usr/share/doc/otelcol-dify/copyright", "", 0o644)
	add(r.thirdParty(), "/usr/share/doc/otelcol-dify/THIRD_PARTY_LICENSES.txt", "", 0o644)
	overlays, err := filepath.Glob(filepath.Join(r.root, "config", "overlays", "*"))
	for _, overlay := range overlays {
		add(overlay, "/etc/otelcol-dify/overlays/"+filepath.Base(overlay), configuration, 0o644)
	}
	return contents, err
}
