// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Command difyctl helps operators of otelcol-dify: it finds what is wrong with an installation, merges configuration
// files, and shows what dify_filter removes. It is also the health check of the image.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

const usage = `Usage: difyctl COMMAND

Commands:
  doctor   find what is wrong with an installation
  config   merge configuration files and overlays into one
  health   query whether the collector is ready
  redact   show what dify_filter removes from a text or a file of telemetry

"difyctl COMMAND --help" describes a command.
`

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the input or the configuration can't be used, or a check failed
	exitUsage  = 2
)

// usageError is an error in the command line.
type usageError struct{ error }

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run runs a command line and returns the exit code.
func run(args []string, in io.Reader, out, failures io.Writer) int {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "doctor":
		return exitCode(runDoctor(args[1:], out), failures)
	case "config":
		return exitCode(combine(args[1:], out), failures)
	case "health":
		return exitCode(health(args[1:], out), failures)
	case "redact":
		return exitCode(redact(args[1:], in, out), failures)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(out, usage)
		return exitOK
	case "":
		fmt.Fprint(failures, usage)
		return exitUsage
	}
	return exitCode(usageError{fmt.Errorf("unknown command %q; difyctl --help lists the commands", command)}, failures)
}

func exitCode(err error, failures io.Writer) int {
	if err == nil {
		return exitOK
	}
	if !errors.Is(err, errUnhealthy) { // the report says what
		fmt.Fprintln(failures, "difyctl:", err)
	}
	if errors.As(err, &usageError{}) {
		return exitUsage
	}
	return exitFailed
}
