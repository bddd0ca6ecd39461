// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// runbook is what an operator reads about an alert: the section that its link names, and the page's introduction.
type runbook string

var (
	runbookLink = regexp.MustCompile(`- alert: (\w+)(?:[^-]|-[^ ]|- [^a])*?docs/runbooks" \}\}/([\w.]+)(?:#([\w-]+))?'`)
	heading     = regexp.MustCompile(`(?m)^## (.*)$`)
	also        = regexp.MustCompile(`(?s)\nAlso fires: (.*?)\n\n`)
	linkText    = regexp.MustCompile(`\[(\w+)\]`)
	statement   = regexp.MustCompile(`psql [^"]*-c "([^"]+)"`)
)

// runbookOf follows the alert's link.
func runbookOf(t *testing.T, alert string) runbook {
	t.Helper()
	files, err := filepath.Glob(repo.Path("config", "prometheus", "rules", "*.yaml"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, link := range runbookLink.FindAllStringSubmatch(string(text), -1) {
			if link[1] == alert {
				return section(t, link[2], link[3])
			}
		}
	}
	require.FailNow(t, "no runbook", alert)
	return ""
}

func section(t *testing.T, page, anchor string) runbook {
	t.Helper()
	raw, err := os.ReadFile(repo.Path("docs", "runbooks", page))
	require.NoError(t, err)
	text := string(raw)
	if anchor == "" {
		return runbook(text)
	}
	at := heading.FindAllStringSubmatchIndex(text, -1)
	for i, found := range at {
		if strings.ReplaceAll(strings.ToLower(text[found[2]:found[3]]), " ", "-") != anchor {
			continue
		}
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		return runbook(text[:at[0][0]] + text[found[0]:end])
	}
	require.FailNow(t, "no such section", "%s#%s", page, anchor)
	return ""
}

// consequences are the alerts that the runbook says fire, too.
func (r runbook) consequences() []string {
	var names []string
	for _, list := range also.FindAllStringSubmatch(string(r), -1) {
		for _, name := range linkText.FindAllStringSubmatch(list[1], -1) {
			names = append(names, name[1])
		}
	}
	return names
}

const exampleRunID = "0d0d1c8e-0000-4000-8000-000000000000"

// answer is the result of a step.
type answer struct {
	samples []servers.Sample
	text    string // the whole result
}

// A step is one that the runbook has, and what its answer shows.
type step struct {
	part  string // of a query, an SQL statement or, for the collector's log, of a table's row
	log   bool
	shows func(answer) error
}

// follow takes a step on the running stack, with the queries as the runbook has them.
func (r runbook) follow(ctx context.Context, on *faultRig, s step) error {
	if s.log {
		if !strings.Contains(string(r), s.part) {
			return fmt.Errorf("the runbook has no sign %q", s.part)
		}
		return s.shows(answer{text: on.Log()})
	}
	for _, found := range fenced.FindAllStringSubmatch(string(r), -1) {
		// The placeholder stands for a run that the operator has found before.
		language, text := found[1], strings.ReplaceAll(found[3], exampleRunID, on.failed.Load().(string))
		if !strings.Contains(text, s.part) {
			continue
		}
		var got answer
		var err error
		switch language {
		case "promql":
			got.samples, err = on.prometheus.Query(ctx, briefly(text))
			got.text = fmt.Sprint(got.samples)
		case "opensearch":
			got.text, err = on.ask(ctx, text)
		case "sh":
			got.text, err = on.selectFrom(ctx, text)
		default:
			continue
		}
		if err != nil {
			return err
		}
		if err := s.shows(got); err != nil {
			return fmt.Errorf("%s\n%w in: %s", text, err, got.text)
		}
		return nil
	}
	return fmt.Errorf("the runbook has no query with %q", s.part)
}

func (f *faultRig) ask(ctx context.Context, query string) (string, error) {
	line, body, _ := strings.Cut(query, "\n")
	method, path, _ := strings.Cut(line, " ")
	var got json.RawMessage
	err := f.search.Send(ctx, method, "/"+path, json.RawMessage(body), &got)
	return string(got), err
}

func (f *faultRig) selectFrom(ctx context.Context, command string) (string, error) {
	sql := statement.FindStringSubmatch(command)
	if sql == nil {
		return "", errors.New("no SQL in it")
	}
	rows, err := f.db.Query(ctx, sql[1])
	if err != nil {
		return "", err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToMap)
	return fmt.Sprint(all), err
}

// sample expects a sample with these labels and a value that passes.
func sample(labels map[string]string, passes func(float64) bool) func(answer) error {
	return func(a answer) error {
		for _, s := range a.samples {
			same := true
			for name, value := range labels {
				same = same && s.Labels[name] == value
			}
			if same && passes(s.Value) {
				return nil
			}
		}
		return fmt.Errorf("no such sample of %v", labels)
	}
}

func positive(v float64) bool { return v > 0 }
func zero(v float64) bool     { return v == 0 }

// none expects no sample with a positive value for a label.
func none(label, value string) func(answer) error {
	return func(a answer) error {
		if sample(map[string]string{label: value}, positive)(a) == nil {
			return fmt.Errorf("still %s=%s", label, value)
		}
		return nil
	}
}

// only expects samples with one value of a label, and no others.
func only(label, value string) func(answer) error {
	return func(a answer) error {
		if len(a.samples) == 0 {
			return errors.New("no sample")
		}
		for _, s := range a.samples {
			if s.Labels[label] != value {
				return fmt.Errorf("not only %s=%s", label, value)
			}
		}
		return nil
	}
}

func mentions(words ...string) func(answer) error {
	return func(a answer) error {
		for _, word := range words {
			if !strings.Contains(a.text, word) {
				return fmt.Errorf("no %q", word)
			}
		}
		return nil
	}
}
