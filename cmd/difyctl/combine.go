// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"

	"github.com/otelcol-dify/otelcol-dify/cmd/difyctl/merge"
)

const configUsage = `Usage: difyctl config FILE... > OUT

Merges configuration files of the collector, such as collector.yaml and overlays, in any order after the first:

  * The lists of pipelines (receivers, processors, exporters) and service::extensions have the names of all files. The
    collector's own merging of several --config takes the last list instead.
  * ` + "`remove: [receivers::celery_queue, service::pipelines::logs::exporters::sentry]`" + ` in any file
    removes components, pipelines, and names from lists. A component is removed from the pipelines too.
  * ` + "`exporters: !override [sentry]`" + ` removes what the first file has in that list.
  * For other keys, the later file takes precedence. Comments and variables (${env:...}) are kept.

Check the result with ` + "`otelcol-dify validate --config OUT`" + `.

Exit codes: 0 if the files could be merged, 1 if not, 2 for a mistake in the command.
`

func combine(args []string, out io.Writer) error {
	if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
		_, err := io.WriteString(out, configUsage)
		return err
	}
	if len(args) == 0 {
		return usageError{errors.New("config needs the files to merge; difyctl config --help describes it")}
	}
	files := make([]merge.File, 0, len(args))
	for _, name := range args {
		text, err := os.ReadFile(name) //nolint:gosec // the operator's file
		if err != nil {
			return err
		}
		files = append(files, merge.File{Name: name, Text: text})
	}
	merged, err := merge.Files(files)
	if err != nil {
		return err
	}
	_, err = out.Write(merged)
	return err
}
