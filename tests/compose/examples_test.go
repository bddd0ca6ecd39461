// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// dify is the part of Dify's own file that the example changes, with service names that exist since Dify 1.0.
const dify = `
name: docker
services:
  api: {image: "langgenius/dify-api:1.7.0", environment: {MODE: api}}
  worker: {image: "langgenius/dify-api:1.7.0", environment: {MODE: worker}}
  plugin_daemon: {image: "langgenius/dify-plugin-daemon:0.2.0-local"}
  web: {image: "langgenius/dify-web:1.7.0"}
`

func TestDifyLogsExampleMergesIntoDify(t *testing.T) {
	file := filepath.Join(t.TempDir(), "docker-compose.yaml")
	require.NoError(t, os.WriteFile(file, []byte(dify), 0o600))
	project := load(t, options{files: []string{file, repo.Path("examples", "dify-logs.compose.yaml")}})
	require.Len(t, project.Services, 4, "an override adds no service")
	for name, service := range project.Services {
		require.NotEmpty(t, service.Image, name)
		if name == "web" {
			assert.Nil(t, service.Logging)
			continue
		}
		assert.Equal(t, "fluentd", service.Logging.Driver, name)
		assert.Equal(t, "true", service.Logging.Options["fluentd-async"], name)
	}
}

func TestLogsExampleAddsTheSocketAndTheOverlay(t *testing.T) {
	files := []string{"docker-compose.yaml", "examples/logs.compose.yaml"}
	for name, test := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"without a key": {want: []string{mainConfig, logsConfig}},
		"with a key":    {env: map[string]string{"OTLP_API_KEY": apiKey}, want: []string{mainConfig, authConfig, logsConfig}},
	} {
		t.Run(name, func(t *testing.T) {
			service := collectorOf(t, load(t, options{files: files, profile: "collector", env: []map[string]string{test.env}}))
			assert.Equal(t, test.want, []string(service.Command))
			onlyStatusPage(t, service.Ports)
			assert.NotContains(t, environment(service), "OTELCOL_FLUENT_ENDPOINT")
			assert.True(t, service.ReadOnly, "the rest is as before")
		})
	}
}

// With the example, no secret that it names is in a container's environment, whatever Dify's .env contains.
func TestSecretsExampleHidesThem(t *testing.T) {
	env := map[string]string{
		"DB_PASSWORD": "s3cret-one", "CELERY_BROKER_URL": "redis://:s3cret-two@redis:6379/1",
		"OTELCOL_OPENSEARCH_PASSWORD": "s3cret-three", "OTELCOL_SENTRY_DSN": "https://s3cret-four@sentry.example.com/1",
	}
	project := load(
		t, options{files: []string{"docker-compose.yaml", "examples/secrets.compose.yaml"}, env: []map[string]string{env}},
	)
	collector := collectorOf(t, project)
	for name, value := range environment(collector) {
		assert.NotContainsf(t, value, "s3cret", "%s", name)
	}
	for name := range env {
		file := strings.TrimSuffix(strings.TrimPrefix(environment(collector)[name], "${file:/run/secrets/"), "}")
		assert.Contains(t, project.Secrets, file)
		assert.True(
			t, slices.ContainsFunc(collector.Secrets, func(s types.ServiceSecretConfig) bool { return s.Source == file }), file,
		)
	}
	grafana, err := project.GetService("grafana")
	require.NoError(t, err)
	assert.NotContains(t, environment(grafana), "GF_SECURITY_ADMIN_PASSWORD", "Grafana refuses both")
	assert.Equal(t, "/run/secrets/grafana_password", environment(grafana)["GF_SECURITY_ADMIN_PASSWORD__FILE"])
}

// Fluent Bit itself is not run. This checks that its example agrees with the overlay.
func TestFluentBitExampleFitsTheOverlay(t *testing.T) {
	text, err := os.ReadFile(repo.Path("examples", "fluent", "fluent-bit.yaml"))
	require.NoError(t, err)
	var config struct {
		Pipeline struct {
			Inputs, Outputs []map[string]any
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &config))
	require.Len(t, config.Pipeline.Inputs, 1)
	require.Len(t, config.Pipeline.Outputs, 1)
	input, output := config.Pipeline.Inputs[0], config.Pipeline.Outputs[0]
	assert.Equal(t, input["tag"], output["match"])
	assert.Equal(
		t,
		"http://fluent-bit:"+fmt.Sprint(input["port"]),
		environment(collectorOf(t, load(t, options{})))["OTELCOL_FLUENT_URL"],
	)
	assert.Equal(t, "workflow-logs", output["logstash_prefix"])
	assert.Equal(t, "$uid", output["id_key"], "a record accessor: without the $ all documents would have one id")
	assert.NotEqual(t, "@timestamp", output["time_key"], "the record has one")
}
