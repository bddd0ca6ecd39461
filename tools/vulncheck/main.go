// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Command vulncheck runs govulncheck on the modules and the binaries of this repository and fails if it finds a known
// vulnerability that is reachable and not listed as accepted.
//
// The Go vulnerability database is the module golang.org/x/vulndb, so only the module proxy is needed. `make
// vulncheck` runs the program with the newest version of the database.
//
//	go -C tools run ./vulncheck -root .. . testkit bin/otelcol-dify
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	var opts options
	flag.StringVar(&opts.root, "root", ".", "root `folder` of the repository")
	flag.StringVar(&opts.database, "db", "latest", "`version` of golang.org/x/vulndb")
	flag.StringVar(&opts.accepted, "accepted", "tools/vulncheck/accepted.yaml",
		"`file` below root with the accepted vulnerabilities")
	flag.StringVar(&opts.govulncheck, "govulncheck", "govulncheck", "`program` to run")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "Usage: vulncheck [flags] MODULE_FOLDER_OR_BINARY...\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	opts.targets = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, opts)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vulncheck:", err)
		os.Exit(1)
	}
}

type options struct {
	root, database, accepted, govulncheck string
	targets                               []string
}

func run(ctx context.Context, out io.Writer, opts options) error {
	if len(opts.targets) == 0 {
		return errors.New("nothing to check: name folders of modules or binaries")
	}
	accepted, err := readAccepted(filepath.Join(opts.root, opts.accepted))
	if err != nil {
		return err
	}
	version, entries, err := download(ctx, opts.database)
	if err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "vulncheck")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	count, err := writeDatabase(entries, directory)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "database: %s %s, %d entries\n", databaseModule, version, count)

	all := report{}
	for _, target := range opts.targets {
		fmt.Fprintln(out, "govulncheck", target)
		found, err := scan(ctx, opts.govulncheck, filepath.Join(opts.root, target), "file://"+filepath.ToSlash(directory))
		if err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		all.add(target, found)
	}
	return all.judge(out, accepted)
}
