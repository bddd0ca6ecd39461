// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// targets are what links can lead to.
type targets struct {
	boards  map[string]board    // by UID
	saved   map[string][]string // saved objects of OpenSearch Dashboards, with the IDs that they refer to
	sources map[string]bool     // UIDs of Grafana's data sources
}

type board struct {
	variables map[string]bool
	panels    map[string]bool // by ID
	tags      map[string]bool
	raw       any
}

// Every link of an alert, a dashboard or a saved object leads to something that is shipped. The links in docs/ are
// tested in difyenv.
func TestLinks(t *testing.T) {
	to := shippedTargets(t)
	files, err := filepath.Glob(repo.Path("config", "prometheus", "rules", "*.yaml"))
	require.NoError(t, err)
	alerts := 0
	for _, file := range files {
		for _, rule := range alertsIn(t, file) {
			alerts++
			t.Run(rule.Alert, func(t *testing.T) { to.checkAlert(t, rule) })
		}
	}
	assert.Greater(t, alerts, 30)
	for uid, b := range to.boards {
		t.Run(uid, func(t *testing.T) { to.checkBoard(t, b) })
	}
	for id, references := range to.saved {
		for _, reference := range references {
			assert.Contains(t, to.saved, reference, id)
		}
	}
}

type alertRule struct {
	Alert       string
	Annotations map[string]string
}

func alertsIn(t *testing.T, file string) []alertRule {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var rules struct {
		Groups []struct{ Rules []alertRule }
	}
	require.NoError(t, yaml.Unmarshal(text, &rules))
	var alerts []alertRule
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if rule.Alert != "" {
				alerts = append(alerts, rule)
			}
		}
	}
	return alerts
}

func shippedTargets(t *testing.T) targets {
	t.Helper()
	to := targets{boards: map[string]board{}, saved: map[string][]string{}, sources: map[string]bool{}}
	files, err := filepath.Glob(repo.Path("config", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		uid, b := readBoard(t, text)
		to.boards[uid] = b
	}
	to.readSaved(t)
	to.readSources(t)
	require.NotEmpty(t, to.boards)
	require.NotEmpty(t, to.sources)
	return to
}

func (to targets) readSaved(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(repo.Path("config", "opensearch", "dashboards.ndjson"))
	require.NoError(t, err)
	for line := range bytes.Lines(text) {
		var object struct {
			ID         string
			References []struct{ ID string }
		}
		require.NoError(t, json.Unmarshal(line, &object))
		to.saved[object.ID] = nil
		for _, reference := range object.References {
			to.saved[object.ID] = append(to.saved[object.ID], reference.ID)
		}
	}
}

func (to targets) readSources(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(repo.Path("config", "grafana", "provisioning", "datasources", "*.yaml"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var sources struct{ Datasources []struct{ UID string } }
		require.NoError(t, yaml.Unmarshal(text, &sources))
		for _, source := range sources.Datasources {
			to.sources[source.UID] = true
		}
	}
}

func readBoard(t *testing.T, text []byte) (uid string, b board) {
	t.Helper()
	var shape struct {
		UID        string
		Tags       []string
		Templating struct{ List []struct{ Name string } }
		Panels     []struct{ ID json.Number }
	}
	require.NoError(t, json.Unmarshal(text, &shape))
	b = board{variables: map[string]bool{}, panels: map[string]bool{}, tags: map[string]bool{}}
	require.NoError(t, json.Unmarshal(text, &b.raw))
	for _, variable := range shape.Templating.List {
		b.variables[variable.Name] = true
	}
	for _, panel := range shape.Panels {
		assert.False(t, b.panels[panel.ID.String()], "two panels of %s have the ID %s", shape.UID, panel.ID)
		b.panels[panel.ID.String()] = true
	}
	for _, tag := range shape.Tags {
		b.tags[tag] = true
	}
	return shape.UID, b
}

// action is a part of an annotation that Prometheus expands.
var action = regexp.MustCompile(`\{\{.*?\}\}`)

func (to targets) checkAlert(t *testing.T, rule alertRule) {
	for _, name := range []string{"runbook_url", "dashboard_url", "logs_url"} {
		link := rule.Annotations[name]
		if link == "" { // what Dify logs says nothing about the collector, and the watchdog is about nothing
			assert.True(t, name == "logs_url" || name == "dashboard_url" && rule.Alert == "Watchdog", "no %s", name)
			continue
		}
		at := strings.Index(link, "}}/") // the base, from a variable
		require.Equal(t, 0, strings.Index(link, "{{ or $externalLabels."), link)
		to.checkPath(t, action.ReplaceAllString(link[at+2:], "x"), name == "runbook_url")
	}
}

// checkPath checks a link below the address of the runbooks, Grafana or OpenSearch Dashboards.
func (to targets) checkPath(t *testing.T, link string, isRunbook bool) {
	t.Helper()
	parsed, err := url.Parse(link)
	require.NoError(t, err)
	switch {
	case isRunbook:
		section(t, filepath.Base(parsed.Path), parsed.Fragment)
	case strings.HasPrefix(parsed.Path, "/d/"):
		to.checkBoardLink(t, parsed)
	case parsed.Path == "/explore":
		to.checkExplore(t, parsed)
	case parsed.Path == "/app/discover":
		view := strings.TrimPrefix(parsed.Fragment, "/view/")
		assert.Contains(t, to.saved, view, link)
	default:
		assert.Fail(t, "a link of an unknown kind", link)
	}
}

func (to targets) checkBoardLink(t *testing.T, link *url.URL) {
	t.Helper()
	uid, _, _ := strings.Cut(strings.TrimPrefix(link.Path, "/d/"), "/")
	b, found := to.boards[uid]
	require.True(t, found, "no dashboard %s", uid)
	for name, values := range link.Query() {
		switch variable, is := strings.CutPrefix(name, "var-"); {
		case is:
			assert.True(t, b.variables[variable], "%s has no variable %s", uid, variable)
		case name == "viewPanel":
			assert.True(t, b.panels[values[0]], "%s has no panel %s", uid, values[0])
		default:
			assert.Contains(t, []string{"from", "to"}, name, link)
		}
	}
}

func (to targets) checkExplore(t *testing.T, link *url.URL) {
	t.Helper()
	var panes map[string]struct {
		Datasource string
		Queries    []struct {
			Query      string
			Datasource struct{ UID string }
		}
		Range struct{ From, To string }
	}
	require.NoError(t, json.Unmarshal([]byte(link.Query().Get("panes")), &panes))
	require.NotEmpty(t, panes)
	for _, pane := range panes {
		assert.True(t, to.sources[pane.Datasource], pane.Datasource)
		require.NotEmpty(t, pane.Queries)
		for _, query := range pane.Queries {
			assert.True(t, to.sources[query.Datasource.UID], query.Datasource.UID)
			assert.NotEmpty(t, query.Query)
		}
		assert.NotEmpty(t, pane.Range.From, "the time is kept")
	}
}

const runbooksURL = "https://github.com/otelcol-dify/otelcol-dify/blob/main/docs/runbooks/"

// used finds a variable of Grafana, but neither a group of a regular expression nor one of Grafana's own.
var used = regexp.MustCompile(`\$\{?([a-zA-Z]\w*)`)

func (to targets) checkBoard(t *testing.T, b board) {
	walk(b.raw, func(key, value string) {
		for _, name := range used.FindAllStringSubmatch(value, -1) {
			assert.True(t, b.variables[name[1]], "no variable %s, which %s uses", name[1], value)
		}
		if key != "url" || value == "" {
			return
		}
		if page, is := strings.CutPrefix(value, runbooksURL); is {
			to.checkPath(t, page, true)
			return
		}
		// Grafana replaces its variables before a browser reads the link.
		to.checkPath(t, grafanaValue.ReplaceAllString(value, "x"), false)
	})
	var links struct {
		Links []struct {
			Type string
			Tags []string
		}
	}
	text, err := json.Marshal(b.raw)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &links))
	for _, link := range links.Links {
		for _, tag := range link.Tags {
			assert.True(t, b.tags[tag], "the list of dashboards has this one, too")
		}
	}
}

var grafanaValue = regexp.MustCompile(`\$\{[^}]*\}`)

// walk visits each text, with its key.
func walk(value any, visit func(key, value string)) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if text, is := inner.(string); is {
				visit(key, text)
				continue
			}
			walk(inner, visit)
		}
	case []any:
		for _, inner := range v {
			if text, is := inner.(string); is {
				visit("", text)
				continue
			}
			walk(inner, visit)
		}
	}
}
