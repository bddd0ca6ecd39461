// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor"
)

const redactUsage = `Usage: difyctl redact [FLAGS] [FILE]

Shows what dify_filter removes from FILE, or from the standard input: each value before and after, with the rules that
changed it as "reason place key". The input is OTLP in JSON (traces, metrics or logs, one request or one per line), or
any other text, which is taken as the body of a log record. The other passes of dify_filter do not apply.

The output contains what is removed: treat it like the input. With --after, it does not.

Flags:
  --config FILE      take the settings from processors::dify_filter::redaction of a configuration of the collector
  --processor ID     the processor in that configuration, such as dify_filter/strict, if it has several
  --unknown ACTION   override redaction::unknown: drop, keep
  --user-ids ACTION  override redaction::user_ids: hash, keep, drop
  --json             print each change as a line of JSON
  --after            print the redacted input and nothing else
  --help             print this help

Exit codes: 0 if the input could be read, 1 if it or the configuration can't be used, 2 for a mistake in the command.
`

// redactOptions are the flags of redact.
type redactOptions struct {
	config, processor, unknown, userIDs string
	json, after                         bool
	file                                string
}

func parseRedact(args []string) (*redactOptions, error) {
	o := &redactOptions{}
	flags := flag.NewFlagSet("redact", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.config, "config", "", "")
	flags.StringVar(&o.processor, "processor", "", "")
	flags.StringVar(&o.unknown, "unknown", "", "")
	flags.StringVar(&o.userIDs, "user-ids", "", "")
	flags.BoolVar(&o.json, "json", false, "")
	flags.BoolVar(&o.after, "after", false, "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usageError{fmt.Errorf("%w; difyctl redact --help describes the flags", err)}
	}
	switch {
	case flags.NArg() > 1:
		return nil, usageError{errors.New("redact takes one FILE; flags precede it")}
	case o.json && o.after:
		return nil, usageError{errors.New("--json and --after exclude each other")}
	case o.processor != "" && o.config == "":
		return nil, usageError{errors.New("--processor needs --config")}
	}
	o.file = flags.Arg(0)
	return o, nil
}

func redact(args []string, in io.Reader, out io.Writer) error {
	o, err := parseRedact(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(out, redactUsage)
		return err
	}
	if err != nil {
		return err
	}
	cfg, err := o.settings()
	if err != nil {
		return err
	}
	text, err := o.read(in)
	if err != nil {
		return err
	}
	s := &session{}
	s.redactor, err = difyfilterprocessor.NewRedactor(cfg, func(r difyfilterprocessor.Redaction) {
		s.rules = append(s.rules, rule(r))
	})
	if err != nil {
		return err
	}
	after, err := s.redact(text)
	switch {
	case err != nil:
		return err
	case o.after:
		_, err = out.Write(after)
	case o.json:
		err = writeJSON(out, s.changes)
	default:
		err = writeText(out, s.changes)
	}
	return err
}

func (o *redactOptions) settings() (*difyfilterprocessor.Config, error) {
	cfg, err := loadConfig(o.config, o.processor)
	if err != nil {
		return nil, err
	}
	if o.unknown != "" {
		cfg.Redaction.Unknown = o.unknown
	}
	if o.userIDs != "" {
		cfg.Redaction.UserIDs = o.userIDs
	}
	if !cfg.Redaction.Enabled {
		return nil, fmt.Errorf("%s has redaction::enabled: false, so that nothing is redacted", o.config)
	}
	return cfg, nil
}

func (o *redactOptions) read(in io.Reader) ([]byte, error) {
	if o.file == "" || o.file == "-" {
		return io.ReadAll(in)
	}
	return os.ReadFile(o.file) //nolint:gosec // the operator's file
}
