// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// A value that can't be right is an error that names it.
func TestBrokenValues(t *testing.T) {
	for values, message := range map[string]string{ //nolint:gosec // G101: the logins are made up
		`{database: {host: ""}}`:                                       "database.host is empty",
		`{database: {hots: db}}`:                                       "'hots' not allowed",
		`{database: {port: "5432"}}`:                                   "at '/database/port': got string, want integer",
		`{database: {type: sqlite}}`:                                   "at '/database/type'",
		`{redis: {url: ""}}`:                                           "redis.url is empty",
		`{redis: {url: "redis:6379"}}`:                                 "redis.url does not begin with",
		`{redis: {existingSecret: dify}}`:                              "neither redis.secretKeys.url nor redis.secretKeys.password",
		`{opensearch: {url: ""}}`:                                      "opensearch.url is empty",
		`{opensearch: {url: "search:9200"}}`:                           "opensearch.url is not an address",
		`{opensearch: {url: "https://user:secret@search:9200"}}`:       "opensearch.url is not an address",
		`{sentry: {dsn: "secret@sentry"}}`:                             "sentry.dsn is not a DSN",
		`{kafka: {enabled: true}}`:                                     "kafka.brokers is empty",
		`{kafka: {brokers: "http://kafka:9092"}}`:                      "at '/kafka/brokers'",
		`{kafka: {enabled: true, brokers: k}, writer: {replicas: 13}}`: "13 writers are more than kafka.partitions (12)",
		`{kafka: {enabled: true, brokers: k}, installation: one}`:      "installation can't be set",
		`{drain: {claim: storage-otelcol-dify-writer-2}}`:              "drain.claim is set, and kafka.enabled is false",
		`{gateway: {autoscaling: {minReplicas: 11}}}`:                  "gateway.autoscaling.minReplicas is above maxReplicas",
		`{collector: {resources: {limits: {memory: 1G}}}}`:             "at '/collector/resources/limits/memory'",
		`{collector: {replicas: 2}}`:                                   "'replicas' not allowed",
		`{collector: {storage: {size: lots}}}`:                         "at '/collector/storage/size'",
		`{image: {digest: latest}}`:                                    "at '/image/digest'",
		`{serviceMonitor: {interval: often}}`:                          "at '/serviceMonitor/interval'",
	} {
		base := readValues(t, chartFolder("ci", "single-values.yaml"))
		_, err := template(t, merge(base, parse(t, "%s", values)))
		require.Error(t, err, values)
		assert.Contains(t, err.Error(), message, values)
		assert.NotContains(t, err.Error(), "secret@", "a login in an address")
	}
}

// The chart's Secret has exactly the logins that are values, and no manifest but the Secret has them.
func TestSecretsAreInSecretsOnly(t *testing.T) {
	want := map[string][]string{
		"single":           {"CELERY_BROKER_URL", "DB_PASSWORD", "OTELCOL_OPENSEARCH_PASSWORD"},
		"existing-secrets": nil,
		"kafka":            {"DB_PASSWORD", "OTELCOL_KAFKA_PASSWORD", "OTELCOL_SENTRY_DSN", "OTLP_API_KEY"},
		"kafka-plain":      {"CELERY_BROKER_URL"},
	}
	for set, keys := range want {
		values := readValues(t, chartFolder("ci", set+"-values.yaml"))
		files, err := template(t, values)
		require.NoError(t, err)
		for name, text := range files {
			assert.NotContains(t, text, "ci-", name)
			assert.NotContains(t, text, "key@sentry", name)
		}
		m := render(t, values)
		if keys == nil {
			assert.Empty(t, m.secrets)
			continue
		}
		require.Len(t, m.secrets, 1)
		var found []string
		for key := range m.secrets[release].Data {
			found = append(found, key)
		}
		assert.ElementsMatch(t, keys, found, set)
	}
}

// A changed file or login rolls the pods that use it, and no value means that nothing rolls.
func TestChangesRollPods(t *testing.T) {
	const checksums = "checksum/"
	annotations := func(values string) map[string]string {
		found := map[string]string{}
		for role, template := range valueSet(t, "single", parse(t, "%s", values)).templates() {
			for name, value := range template.Annotations {
				if strings.HasPrefix(name, checksums) {
					found[role+name] = value
				}
			}
		}
		return found
	}
	before := annotations("{}")
	assert.Equal(t, before, annotations("{}"))
	for _, change := range []string{
		"collector: {config: {extensions: {opensearch_bulk: {setup: {retention_days: 7}}}}}",
		"database: {password: another}",
		"otlp: {apiKey: another}",
	} {
		assert.NotEqual(t, before, annotations(change), change)
	}
}

// NOTES.txt says what to do next: its Service, pods and ports exist.
func TestNotes(t *testing.T) {
	endpoint := regexp.MustCompile(`OTLP_BASE_ENDPOINT=http://([a-z-]+)\.([a-z-]+):(\d+)`)
	eachValueSet(t, func(t *testing.T, m *manifests) {
		match := endpoint.FindStringSubmatch(m.notes)
		require.NotNil(t, match, m.notes)
		require.Contains(t, m.services, match[1])
		assert.Equal(t, namespace, match[2])
		assert.Equal(t, "4318", match[3])
		assert.Contains(t, m.notes, "rollout status statefulset/"+release)
		assert.Equal(t, m.lines != nil, strings.Contains(m.notes, "enforce=privileged"))
		assert.Equal(t, m.drain != nil, strings.Contains(m.notes, "pod "+release+"-drain"))
		assert.Equal(t, len(m.monitors) == 0, strings.Contains(m.notes, "Prometheus must scrape"))
		assert.Contains(t, m.sets, regexp.MustCompile(`port-forward (\S+)-0 `).FindStringSubmatch(m.notes)[1])
		key := strings.Contains(m.notes, "OTLP_API_KEY=")
		assert.NotEqual(t, key, strings.Contains(m.notes, "No key is demanded"))
	})
}

// difyValues are the keys of the community chart dify-helm that the page uses.
type difyValues struct {
	API struct {
		Otel struct {
			Enabled          bool    `yaml:"enabled"`
			BaseEndpoint     string  `yaml:"baseEndpoint"`
			ExporterProtocol string  `yaml:"exporterProtocol"`
			ExporterType     string  `yaml:"exporterType"`
			SamplingRate     float64 `yaml:"samplingRate"`
			APIKey           string  `yaml:"apiKey"`
		} `yaml:"otel"`
	} `yaml:"api"`
	Worker struct {
		ExtraEnv []struct {
			Name  string `yaml:"name"`
			Value string `yaml:"value"`
		} `yaml:"extraEnv"`
	} `yaml:"worker"`
}

// The page's values for dify-helm and for this chart fit together: what Dify's pods get reaches the Service, with the
// key that the collector demands, from the namespace that the network policy admits.
func TestPagesValuesFitDifyHelm(t *testing.T) {
	blocks := pageBlocks(t)
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(blocks["dify-values.yaml"])))
	decoder.KnownFields(true)
	var dify difyValues
	require.NoError(t, decoder.Decode(&dify))
	ours := parse(t, "%s", blocks["values.yaml"])
	m := render(t, ours)

	endpoint := regexp.MustCompile(`^http://([a-z-]+)\.([a-z-]+):4318$`).FindStringSubmatch(dify.API.Otel.BaseEndpoint)
	require.NotNil(t, endpoint)
	require.Contains(t, m.services, endpoint[1])
	assert.True(t, dify.API.Otel.Enabled)
	assert.Equal(t, "otlp", dify.API.Otel.ExporterType)
	assert.Equal(t, "http/protobuf", dify.API.Otel.ExporterProtocol)
	assert.InDelta(t, 1, dify.API.Otel.SamplingRate, 0)
	worker := map[string]string{}
	for _, variable := range dify.Worker.ExtraEnv {
		worker[variable.Name] = variable.Value
	}
	assert.Equal(t, map[string]string{ // dify-helm passes api.otel to the API only
		"ENABLE_OTEL": "true", "OTLP_BASE_ENDPOINT": dify.API.Otel.BaseEndpoint, "OTEL_EXPORTER_TYPE": "otlp",
		"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_SAMPLING_RATE": "1.0", "OTLP_API_KEY": dify.API.Otel.APIKey,
	}, worker)
	env := m.environment(t, m.templates()["collector"].Spec.Containers[0])
	assert.Equal(t, dify.API.Otel.APIKey, env["OTLP_API_KEY"])
	admitted := m.policies[release+"-collector"].Spec.Ingress[1].From[0].NamespaceSelector.MatchLabels
	assert.Equal(t, map[string]string{"kubernetes.io/metadata.name": endpoint[2]}, admitted,
		"the page installs the chart in Dify's namespace")
	m.checkConfig(t, "collector", m.templates()["collector"].Spec.Containers[0], env)
}

// The page's other examples render over the first one.
func TestPagesExamples(t *testing.T) {
	blocks := pageBlocks(t)
	first := parse(t, "%s", blocks["values.yaml"])
	require.Greater(t, len(blocks), 3)
	for name, text := range blocks {
		if name == "dify-values.yaml" {
			continue
		}
		m := render(t, merge(first, parse(t, "%s", text)))
		for role, template := range m.templates() {
			if role != "topics" {
				container := template.Spec.Containers[0]
				m.checkConfig(t, role, container, m.environment(t, container))
			}
		}
	}
}

var example = regexp.MustCompile("(?s)```yaml\n# ([a-z-]+\\.yaml)[^\n]*\n(.*?)```")

// pageBlocks returns the files of docs/kubernetes.md by name.
func pageBlocks(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile(repo.Path("docs", "kubernetes.md"))
	require.NoError(t, err)
	blocks := map[string]string{}
	for _, match := range example.FindAllSubmatch(page, -1) {
		require.NotContains(t, blocks, string(match[1]))
		blocks[string(match[1])] = string(match[2])
	}
	require.NotEmpty(t, blocks["values.yaml"])
	return blocks
}
