// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Command adaptexporter writes copies of three stock modules that differ from them in a few lines:
//   - OpenSearch: the newest version that the module proxy serves is older than the collector, whose API has changed
//     since. The copy compiles with it. With a middleware it writes spans in less CPU time (the folder added).
//   - Kafka: the copy retries what Kafka rejects because of its own settings, instead of dropping it.
//   - exporterhelper: a persistent queue of the copy loses nothing while its disk is full, and recovers by itself.
//
// A copy differs from its module in the places that edits.go names and in the files of the folder added, and in
// nothing else; it is never committed.
//
//	go -C tools run ./adaptexporter -out ../.cache/make-exporter
//
// `make check-exporter` (flag -check) reports when a newer version of the OpenSearch exporter is served, so that
// its copy can go.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

func main() {
	out := flag.String("out", "", "folder to write the copies to; older ones in it are replaced")
	check := flag.String("check", "",
		"only report whether a version of the OpenSearch exporter up to this `version` of the collector is served")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "Usage: adaptexporter -out FOLDER | -check VERSION\n\n"+
			"Writes adapted copies of the stock OpenSearch and Kafka exporters and of exporterhelper to FOLDER: the targets\n"+
			"of `replaces` lines in an ocb builder file.\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(*out, *check); err != nil {
		fmt.Fprintln(os.Stderr, "adaptexporter:", err)
		os.Exit(1)
	}
}

func run(out, check string) error {
	if check != "" {
		return openSearch.reportNewer(os.Stdout, check)
	}
	if out == "" {
		return errors.New("-out is missing: the folder to write to")
	}
	for _, m := range modules {
		if err := m.writeAdapted(filepath.Join(out, path.Base(m.path))); err != nil {
			return err
		}
	}
	return nil
}

func (m module) writeAdapted(out string) error {
	archive, err := m.download(m.version)
	if err != nil {
		return err
	}
	files, err := m.read(archive)
	if err != nil {
		return err
	}
	if err := m.adapt(files); err != nil {
		return err
	}
	return write(out, files)
}
