// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Command adaptexporter writes a copy of the stock OpenSearch exporter that compiles with the collector of this
// project.
//
// The newest version of the exporter that the module proxy serves is older than the collector, whose API has
// changed since. The copy differs from the module in the places that the edits below name, and in nothing else; it
// is never committed.
//
//	go -C tools run ./adaptexporter -out ../.cache/make-exporter
//
// `make check-exporter` (flag -check) reports when a newer version is served, so that this program can be deleted.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("out", "", "folder to write; an older copy in it is replaced")
	check := flag.String("check", "",
		"only report whether a version of the exporter up to this `version` of the collector is served")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "Usage: adaptexporter -out FOLDER | -check VERSION\n\n"+
			"Writes %s %s,\nadapted to the collector's current API, to FOLDER: "+
			"the target of a `replaces` line in an ocb builder file.\n\n", modulePath, version)
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
		return reportNewer(os.Stdout, check)
	}
	if out == "" {
		return errors.New("-out is missing: the folder to write to")
	}
	archive, err := download()
	if err != nil {
		return err
	}
	files, err := read(archive, sum)
	if err != nil {
		return err
	}
	if err := adapt(files); err != nil {
		return err
	}
	return write(out, files)
}
