// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// role is a role of OpenSearch's security plugin.
type role struct {
	ClusterPermissions []string          `json:"cluster_permissions" yaml:"cluster_permissions"`
	IndexPermissions   []indexPermission `json:"index_permissions"   yaml:"index_permissions"`
}

type indexPermission struct {
	IndexPatterns  []string `json:"index_patterns"  yaml:"index_patterns"`
	AllowedActions []string `json:"allowed_actions" yaml:"allowed_actions"`
}

// documentedRole returns the role that the documentation asks operators to create.
func documentedRole(t *testing.T) role {
	t.Helper()
	text, err := os.ReadFile(repo.Path("config", "opensearch", "role.yaml"))
	require.NoError(t, err)
	var roles map[string]role
	require.NoError(t, yaml.Unmarshal(text, &roles))
	require.Len(t, roles, 1)
	require.Len(t, roles[roleName].IndexPermissions, 1)
	return roles[roleName]
}

// without returns the role without one permission: a cluster permission, an action or an index pattern.
func (r role) without(right string) role {
	indices := r.IndexPermissions[0]
	other := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == right })
	}
	return role{
		ClusterPermissions: other(r.ClusterPermissions),
		IndexPermissions: []indexPermission{
			{IndexPatterns: other(indices.IndexPatterns), AllowedActions: other(indices.AllowedActions)},
		},
	}
}

const (
	roleName = "otelcol"
	password = "Secret-0f-this-test"
)

// secured is a node with the security plugin, and a collector that has only the documented role.
type secured struct {
	*collector.Collector
	search *servers.OpenSearch
	days   int // number of used days
	sent   map[string]int
}

func startSecured(t *testing.T) *secured {
	t.Helper()
	search, err := servers.StartOpenSearchNode(t.Context(), servers.NodeOptions{Secure: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, search.Stop()) })
	s := &secured{search: search, sent: map[string]int{}}
	const api = "/_plugins/_security/api/"
	// The plugin's example configuration lets every user send bulk requests.
	require.NoError(t, s.search.Send(t.Context(), http.MethodDelete, api+"rolesmapping/own_index", nil, &struct{}{}))
	s.grant(t, documentedRole(t))
	s.put(t, api+"internalusers/"+roleName, map[string]any{"password": password})
	s.put(t, api+"rolesmapping/"+roleName, map[string]any{"users": []string{roleName}})
	s.Collector = collector.Start(t, collector.Options{
		Configs: append([]string{
			collector.ShippedConfig(),
			repo.Path("tests", "opensearchbulk", "testdata", "logs.yaml"),
			"yaml:service::pipelines::logs::receivers: [otlp]", // into workflow-logs-*, in addition to dify-logs-*
			"yaml:extensions::opensearch_bulk::retry::max_interval: 1s",
		}, collector.KeepDays()...),
		Env: map[string]string{
			"OTELCOL_OPENSEARCH_URL":      s.search.URL,
			"OTELCOL_OPENSEARCH_USERNAME": roleName,
			"OTELCOL_OPENSEARCH_PASSWORD": password,
			"OTELCOL_OPENSEARCH_CA_FILE":  s.search.CAFile,
			"DB_HOST":                     "127.0.0.1",
			"DB_PORT":                     "1",
		},
	})
	return s
}

func (s *secured) put(t *testing.T, path string, body any) {
	t.Helper()
	require.NoError(t, s.search.Send(t.Context(), http.MethodPut, path, body, &struct{}{}))
}

func (s *secured) grant(t *testing.T, r role) {
	t.Helper()
	s.put(t, "/_plugins/_security/api/roles/"+roleName, r)
}

// Documents of a day that has no index yet: one for each kind of index, and one that is permanently rejected.
func (s *secured) send(t *testing.T) {
	t.Helper()
	s.days++
	day := time.Date(2021, 1, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, s.days)
	makeRefusingIndex(t, s.search, day.AddDate(1, 0, 0))
	export(
		t,
		s.Collector,
		"traces",
		fmt.Sprintf(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c",
"spanId":"%016x","name":"POST","startTimeUnixNano":"%d","endTimeUnixNano":"%[2]d"}]}]}]}`, s.days, day.UnixNano()),
	)
	for _, at := range []time.Time{day, day.AddDate(1, 0, 0)} {
		export(
			t,
			s.Collector,
			"logs",
			fmt.Sprintf(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","body":{"stringValue":"x"},
"attributes":[{"key":"log.record.uid","value":{"stringValue":"%[1]d"}},{"key":"http.response.status_code","value":{"stringValue":"none"}}]}]}]}]}`, at.UnixNano()),
		)
	}
	for pattern, documents := range map[string]int{
		"dify-traces-*": 1, "workflow-logs-*": 2, "dify-logs-*": 1, "otelcol-dify-dead-letter": 1,
	} {
		s.sent[pattern] += documents
	}
}

// awaitAll waits until everything that was sent has arrived.
func (s *secured) awaitAll(t *testing.T) {
	t.Helper()
	for _, pattern := range slices.Sorted(maps.Keys(s.sent)) {
		awaitCount(t, s.search, pattern, s.sent[pattern])
	}
}

// The documented role is sufficient for setup and delivery, and each of its permissions is needed: without it the
// setup is refused, or documents wait and arrive once it is granted again.
func TestDocumentedRole(t *testing.T) {
	s := startSecured(t)
	awaitTemplates(t, s.search)
	s.send(t)
	s.awaitAll(t)
	assert.NotContains(t, s.Log(), "rejects the setup")

	full := documentedRole(t)
	indices := full.IndexPermissions[0]
	for _, right := range slices.Concat(full.ClusterPermissions, indices.AllowedActions, indices.IndexPatterns) {
		if strings.Contains(right, "index_template") {
			t.Run(right, func(t *testing.T) { s.checkSetupNeeds(t, full, right) })
			continue
		}
		require.True(t, t.Run(right, func(t *testing.T) { s.checkDeliveryNeeds(t, full, right) }))
	}
	assert.NotContains(t, s.Log(), password)
}

func (s *secured) checkDeliveryNeeds(t *testing.T, full role, right string) {
	t.Helper()
	s.forget(t)
	s.grant(t, full.without(right))
	s.send(t)
	wait.For(t, "documents are held, or dead letters stored", s.waits)
	require.Error(t, s.arrived(t.Context()), "without the right")
	s.grant(t, full)
	awaitQueueEmpty(t, s.Collector)
	stored, err := s.OwnMetric(t.Context(), "otelcol_opensearch_bulk_stored_items")
	require.NoError(t, err)
	if stored > 0 { // dead letters that were rejected are retried after a start
		s.KillAndRestart(t)
	}
	s.awaitAll(t)
}

// waits reports whether something waits for OpenSearch.
func (s *secured) waits(ctx context.Context) error {
	held, err := s.OwnMetric(ctx, "otelcol_opensearch_bulk_blocked_requests")
	stored, err2 := s.OwnMetric(ctx, "otelcol_opensearch_bulk_stored_items")
	if held+stored == 0 {
		return errors.Join(errors.New("nothing waits"), err, err2)
	}
	return nil
}

// forget deletes the dead-letter index, so that the permission to create it is needed again.
func (s *secured) forget(t *testing.T) {
	t.Helper()
	const index = "otelcol-dify-dead-letter"
	require.NoError(t, s.search.Send(t.Context(), http.MethodDelete, "/"+index, nil, &struct{}{}))
	delete(s.sent, index)
}

func (s *secured) arrived(ctx context.Context) error {
	for pattern, want := range s.sent {
		got, err := s.search.Count(ctx, pattern)
		if err != nil {
			continue // no such index yet
		}
		if got != want {
			return fmt.Errorf("%d documents in %s, expected %d", got, pattern, want)
		}
	}
	return nil
}

// checkSetupNeeds starts a new collector, with nothing set up.
func (s *secured) checkSetupNeeds(t *testing.T, full role, right string) {
	t.Helper()
	s.grant(t, full.without(right))
	require.NoError(t, s.search.Send(t.Context(), http.MethodDelete, "/_index_template/otelcol-dify-*", nil, &struct{}{}))
	before := strings.Count(s.Log(), "OpenSearch rejects the setup")
	s.KillAndRestart(t)
	wait.For(t, "the setup is rejected", func(context.Context) error {
		if strings.Count(s.Log(), "OpenSearch rejects the setup") == before {
			return errors.New("not said")
		}
		return nil
	})
	s.grant(t, full)
	s.KillAndRestart(t)
	awaitTemplates(t, s.search)
}
