// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"fmt"
	"maps"
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

var scaleFiles = []string{"docker-compose.yaml", "docker-compose.scale.yaml"}

// scaleRoles are the collectors with their files of config/scale, without a key and a login.
var scaleRoles = map[string][]string{
	collectorService:   {"gateway", "reader"},
	"otelcol-gateway":  {"gateway"},
	"otelcol-writer-1": {"writer"},
	"otelcol-writer-2": {"writer"},
	"otelcol-metrics":  {"metrics"},
}

// topicsService exits when it is done: it is the only service that is not restarted.
const topicsService = "kafka-topics"

var scaleOthers = map[string]map[string]string{
	"none": {},
	"key":  {"OTLP_API_KEY": apiKey},
	"login": { //nolint:gosec // made up
		"OTELCOL_KAFKA_USERNAME": "otelcol",
		"OTELCOL_KAFKA_PASSWORD": `p"a$$s\s#1: {x}`,
		"OTELCOL_KAFKA_BROKERS":  "a.example.com:9093,b.example.com:9093",
	},
	"both": {"OTLP_API_KEY": apiKey, "OTELCOL_KAFKA_USERNAME": "otelcol", "OTELCOL_KAFKA_PASSWORD": "x"},
	"amounts": {
		"OTELCOL_MEMORY": "2g", "OTELCOL_KAFKA_HEAP": "2g", "OTELCOL_KAFKA_MEMORY": "4g",
		"OTELCOL_KAFKA_PARTITIONS": "24",
	},
	"back ends": {
		"OTELCOL_OPENSEARCH_URL": "https://search.example.com",
		"OTELCOL_DASHBOARDS_URL": "",
		"OTELCOL_DIFY_NETWORK":   "other_default",
	},
}

func TestScaleEachProfileAndGeneration(t *testing.T) {
	for profile, services := range profiles {
		want := slices.Collect(maps.Keys(scaleRoles))
		want = append(
			want,
			slices.DeleteFunc(slices.Clone(services), func(name string) bool { return name == collectorService })...)
		if profile == "full" {
			want = append(want, "kafka", topicsService)
		}
		for generation, dify := range generations {
			for other, ours := range scaleOthers {
				t.Run(fmt.Sprintf("%s/%s/%s", profile, generation, other), func(t *testing.T) {
					project := load(t, options{files: scaleFiles, profile: profile, env: []map[string]string{dify, ours}})
					assert.ElementsMatch(t, want, project.ServiceNames())
					for _, service := range project.Services {
						checkScaleService(t, service)
					}
					for role, files := range scaleRoles {
						checkScaleRole(t, project.Services[role], files, dify, ours)
					}
					assert.Equal(t, or(dify["DB_HOST"], defaultDBHost), environment(project.Services[collectorService])["DB_HOST"])
				})
			}
		}
	}
}

func checkScaleService(t *testing.T, service types.ServiceConfig) {
	t.Helper()
	if service.Name == topicsService {
		assert.Equal(t, "on-failure", service.Restart)
		assert.True(t, service.ReadOnly)
		service.Restart, service.HealthCheck = "unless-stopped", &types.HealthCheckConfig{Test: []string{"CMD"}}
	}
	checkService(t, service)
	if service.Name != topicsService {
		assert.Equal(t, !slices.Contains(append(writable, "kafka"), service.Name), service.ReadOnly, service.Name)
	}
}

func checkScaleRole(t *testing.T, service types.ServiceConfig, files []string, dify, ours map[string]string) {
	t.Helper()
	all := maps.Clone(dify)
	maps.Copy(all, ours)
	if all["OTLP_API_KEY"] != "" && files[0] == "gateway" {
		files = append(slices.Clone(files), "auth")
	}
	if all["OTELCOL_KAFKA_USERNAME"] != "" {
		files = append(slices.Clone(files), "sasl")
	}
	var command []string
	for _, file := range files {
		command = append(command, "--config=/etc/otelcol-dify/scale/"+file+".yaml")
		assert.FileExists(t, onHost(t, service, "/etc/otelcol-dify/scale/"+file+".yaml"))
	}
	assert.Equal(t, command, []string(service.Command), service.Name)
	assert.Equal(t, "10001:10001", service.User)
	assert.Equal(t, or(all["OTELCOL_KAFKA_BROKERS"], "otelcol-kafka:9092"), environment(service)["OTELCOL_KAFKA_BROKERS"])
	assert.Equal(t, all["OTELCOL_KAFKA_PASSWORD"], environment(service)["OTELCOL_KAFKA_PASSWORD"])
}

// Two collectors must not share a volume, and none gets a variable that it does not need.
func TestScaleCollectorsShareNothing(t *testing.T) {
	project := load(t, options{files: scaleFiles})
	owner := map[string]string{}
	for role := range scaleRoles {
		service := project.Services[role]
		for _, volume := range service.Volumes {
			if volume.Type == types.VolumeTypeVolume {
				assert.Empty(t, owner[volume.Source], "%s has the volume of another", role)
				assert.Equal(t, "/var/lib/otelcol-dify", volume.Target)
				owner[volume.Source] = role
			}
		}
		assert.Contains(t, project.Volumes, "otelcol-gateway")
	}
	assert.Len(t, owner, len(scaleRoles))
	single := load(t, options{})
	assert.Equal(
		t, collectorOf(t, single).Volumes, collectorOf(t, project).Volumes,
		"the reader continues on the volume of the single collector",
	)
}

// Each variable of a role's files reaches it with the file's default, and no other variable does.
func TestScaleVariablesReachTheirRole(t *testing.T) {
	project := load(t, options{files: scaleFiles})
	for role, files := range scaleRoles {
		env := environment(project.Services[role])
		known := map[string]bool{}
		files = append(slices.Clone(files), "sasl")
		if files[0] == "gateway" {
			files = append(files, "auth")
		}
		for _, file := range files {
			text, err := os.ReadFile(repo.Path("config", "scale", file+".yaml"))
			require.NoError(t, err)
			for _, match := range reference.FindAllStringSubmatch(string(text), -1) {
				name, standard := match[1], match[2]
				if notPassed.MatchString(name) {
					assert.NotContains(t, env, name)
					continue
				}
				known[name] = true
				if own, ok := ownDefaults[name]; ok {
					standard = own
				}
				if name == "OTELCOL_KAFKA_BROKERS" {
					standard = "otelcol-kafka:9092"
				}
				got, ok := env[name]
				assert.Truef(t, ok, "%s of %s does not reach %s", name, file, role)
				assert.Equal(t, standard, got, name)
			}
		}
		for name := range env {
			assert.Truef(t, known[name], "%s gets %s, which none of its files reads", role, name)
		}
	}
}

// Dify reaches every gateway by one name, and does not reach writers and the broker.
func TestScaleNetworks(t *testing.T) {
	project := load(t, options{files: scaleFiles})
	for name, service := range project.Services {
		_, onDifys := service.Networks["dify"]
		assert.Equal(t, slices.Contains([]string{collectorService, "otelcol-gateway", "prometheus"}, name), onDifys, name)
		if name != dockerProxy {
			assert.Contains(t, service.Networks, "default", name)
		}
	}
	assert.Contains(t, project.Services["otelcol-gateway"].Networks["dify"].Aliases, collectorService)
	broker := project.Services["kafka"]
	assert.Contains(t, broker.Networks["default"].Aliases, "otelcol-kafka")
	assert.Equal(t, "PLAINTEXT://otelcol-kafka:9092", environment(broker)["KAFKA_ADVERTISED_LISTENERS"])
	assert.Equal(t, "false", environment(broker)["KAFKA_AUTO_CREATE_TOPICS_ENABLE"])
	assert.Equal(t, broker.Image, project.Services[topicsService].Image)
	assert.FileExists(t, onHost(t, project.Services[topicsService], project.Services[topicsService].Command[1]))
}

// Its Prometheus file differs from the other one only in the targets, which name every collector.
func TestScalePrometheusFile(t *testing.T) {
	read := func(name string) map[string]any {
		text, err := os.ReadFile(repo.Path("config", "prometheus", name))
		require.NoError(t, err)
		var config map[string]any
		require.NoError(t, yaml.Unmarshal(text, &config))
		return config
	}
	one, scale := read("prometheus.yaml"), read("scale.yaml")
	targets := map[string][]string{}
	for _, config := range []map[string]any{one, scale} {
		for _, entry := range config["scrape_configs"].([]any) {
			job := entry.(map[string]any)
			if name := job["job_name"].(string); name == "dify" || name == "otelcol-dify" {
				targets[name] = nil
				for _, target := range job["static_configs"].([]any)[0].(map[string]any)["targets"].([]any) {
					targets[name] = append(targets[name], target.(string))
				}
				delete(job, "static_configs")
			}
		}
	}
	assert.Equal(t, one, scale)

	project := load(t, options{files: scaleFiles})
	assert.Equal(t, []string{"otelcol-metrics:8889"}, targets["dify"])
	var own []string
	for role := range scaleRoles {
		if role == collectorService { // this name is every gateway's
			role = project.Services[role].Networks["default"].Aliases[0]
		}
		own = append(own, role+":8888")
	}
	assert.ElementsMatch(t, own, targets["otelcol-dify"])

	prometheus := project.Services["prometheus"]
	assert.FileExists(t, onHost(t, prometheus, "/etc/prometheus/scale.yaml"))
	alone := load(t, options{}).Services["prometheus"].Command
	assert.Equal(
		t, strings.Replace(strings.Join(alone, " "), "prometheus.yaml", "scale.yaml", 1),
		strings.Join(prometheus.Command, " "),
	)
	assert.True(t, filepath.IsAbs(onHost(t, prometheus, "/etc/prometheus/rules/pipeline.yaml")))
}
