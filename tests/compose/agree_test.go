// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// Variables of compose alone: the addresses of the services next to the collector.
var ownDefaults = map[string]string{
	"OTELCOL_OPENSEARCH_URL": "http://otelcol-opensearch:9200",
	"OTELCOL_DASHBOARDS_URL": "http://otelcol-opensearch-dashboards:5601",
	// A container's own loopback interface can't be published.
	"OTELCOL_STATUS_ENDPOINT": "0.0.0.0:13134",
}

// Addresses inside the container, and its folder, are those of collector.yaml.
var notPassed = regexp.MustCompile(
	`^OTELCOL_((?:SECOND_)?OTLP_GRPC|(?:SECOND_)?OTLP_HTTP|PROMETHEUS|HEALTH|FLUENT)_ENDPOINT$|^OTELCOL_TELEMETRY_|^OTELCOL_STORAGE_DIR$`,
)

var reference = regexp.MustCompile(`\$\{env:([A-Z_]+)(?::-([^}]*))?\}`)

// A variable that an operator may set reaches the collector, and has the same default everywhere.
func TestVariablesReachTheCollector(t *testing.T) {
	env := environment(collectorOf(t, load(t, options{})))
	files, err := filepath.Glob(repo.Path("config", "overlays", "*.yaml"))
	require.NoError(t, err)
	known := map[string]bool{}
	for _, file := range append(files, repo.Path("config", "collector.yaml")) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range reference.FindAllStringSubmatch(string(text), -1) {
			name, standard := match[1], match[2]
			known[name] = true
			if notPassed.MatchString(name) {
				assert.NotContains(t, env, name)
				continue
			}
			if own, ok := ownDefaults[name]; ok {
				standard = own
			}
			got, ok := env[name]
			assert.Truef(t, ok, "%s of %s does not reach the collector", name, file)
			assert.Equal(t, standard, got, name)
		}
	}
	for name := range env {
		// GOMEMLIMIT is Go's own, OTELCOL_PROMETHEUS_URL is for difyctl, the others are of overlays/logs.yaml.
		if name != "GOMEMLIMIT" && name != "OTELCOL_PROMETHEUS_URL" && name != "LOG_TZ" && name != "APPLICATION_NAME" {
			assert.Truef(t, known[name], "%s is read by no file", name)
		}
	}
}

func TestAlertmanagerFileAgrees(t *testing.T) {
	file, err := os.ReadFile(repo.Path("config", "alertmanager", "alertmanager.yaml"))
	require.NoError(t, err)
	text, err := os.ReadFile(repo.Path("docker-compose.yaml"))
	require.NoError(t, err)
	var raw struct {
		Configs map[string]struct{ Content string }
	}
	require.NoError(t, yaml.Unmarshal(text, &raw))
	assert.Equal(t, string(file), raw.Configs["alertmanager"].Content, "run make generate")

	for name, env := range others {
		t.Run(name, func(t *testing.T) { checkFilled(t, string(file), env) })
	}
	service, err := load(t, options{}).GetService("alertmanager")
	require.NoError(t, err)
	require.Len(t, service.Configs, 1)
	assert.Equal(t, "0400", service.Configs[0].Mode.String())
	assert.Equal(t, "65534", service.Configs[0].UID)
	assert.Contains(t, service.Command, "--config.file="+service.Configs[0].Target)
}

// checkFilled compares compose's expansion of the embedded file with its expansion of Alertmanager's file.
func checkFilled(t *testing.T, file string, env map[string]string) {
	t.Helper()
	want, err := template.Substitute(file, func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	})
	require.NoError(t, err)
	assert.Equal(t, want, load(t, options{env: []map[string]string{env}}).Configs["alertmanager"].Content)
	var config map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(want), &config))
}

// The host names in the other programs' files must be names of this project.
func TestNamesResolve(t *testing.T) {
	// Dify's, and back ends of the operator's own.
	names := map[string]bool{"plugin_daemon": true, "otlp-backend": true, "content-backend": true, "mimir": true}
	for name, service := range load(t, options{}).Services {
		names[name] = true
		for _, network := range service.Networks {
			if network != nil {
				for _, alias := range network.Aliases {
					names[alias] = true
				}
			}
		}
	}
	address := regexp.MustCompile(`(?m)^[^#\n]*(?:https?://|targets: \[)([a-z][a-z_-]+):\d+`)
	for _, path := range []string{
		"docker-compose.yaml", "config/prometheus/prometheus.yaml", "config/grafana/provisioning/datasources/dify.yaml",
	} {
		text, err := os.ReadFile(repo.Path(filepath.FromSlash(path)))
		require.NoError(t, err)
		found := address.FindAllStringSubmatch(string(text), -1)
		require.NotEmpty(t, found, path)
		for _, match := range found {
			if match[1] != "localhost" && match[1] != "fluent-bit" {
				assert.Truef(t, names[match[1]], "%s names %s", path, match[1])
			}
		}
	}
}

// The paths in the programs' arguments exist in their containers.
func TestMountsHoldWhatIsAskedFor(t *testing.T) {
	project := load(t, options{})
	datasources := "/etc/grafana/provisioning/datasources/dify.yaml"
	provider := "/etc/grafana/provisioning/dashboards/dify.yaml"
	for name, paths := range map[string][]string{
		collectorService: {"/etc/otelcol-dify/collector.yaml", "/etc/otelcol-dify/overlays/auth.yaml"},
		"prometheus":     {"/etc/prometheus/prometheus.yaml", "/etc/prometheus/rules/alerts.yaml"},
		"grafana":        {datasources, provider, "/etc/grafana/dashboards/dify-workflows.json"},
	} {
		service, err := project.GetService(name)
		require.NoError(t, err)
		for _, path := range paths {
			assert.FileExists(t, onHost(t, service, path), name)
		}
	}
	text, err := os.ReadFile(repo.Path("config", "grafana", "provisioning", "dashboards", "dify.yaml"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "path: /etc/grafana/dashboards\n")
}

// onHost returns the host's path of a path in a service's container.
func onHost(t *testing.T, service types.ServiceConfig, path string) string {
	t.Helper()
	for _, volume := range service.Volumes {
		if rest, ok := strings.CutPrefix(path, volume.Target+"/"); ok && volume.Type == types.VolumeTypeBind {
			return filepath.Join(volume.Source, filepath.FromSlash(rest))
		}
	}
	assert.Failf(t, "not mounted", "%s of %s", path, service.Name)
	return ""
}

func TestPageNamesWhatRuns(t *testing.T) {
	page, err := os.ReadFile(repo.Path("docs", "compose.md"))
	require.NoError(t, err)
	for name, service := range load(t, options{}).Services {
		image, port := "`"+service.Image+"`", ""
		if strings.HasPrefix(service.Image, "otelcol-dify:") {
			image = "built here"
		}
		if len(service.Ports) > 0 {
			port = service.Ports[0].Published + " "
		}
		assert.Contains(t, string(page), "| `"+name+"` | "+image+" | "+port+"|", "the table of docs/compose.md")
	}
}

// Both Dockerfiles build the same image.
func TestBothDockerfilesAgree(t *testing.T) {
	instructions := func(name string) []string {
		text, err := os.ReadFile(repo.Path(name))
		require.NoError(t, err)
		_, image, found := strings.Cut(string(text), "FROM scratch\n")
		require.True(t, found, name)
		var kept []string
		for line := range strings.Lines(image) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if word != "" && word != "#" && word != "ARG" && word != "COPY" {
				kept = append(kept, line)
			}
		}
		return kept
	}
	assert.Equal(t, instructions("Dockerfile"), instructions("build.Dockerfile"))
	assert.Contains(t, strings.Join(instructions("Dockerfile"), ""), `CMD ["/difyctl", "health"]`)
}
