// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

const (
	apiKey        = "0a5d6f37c2b94e18" //nolint:gosec // made up
	mainConfig    = "--config=/etc/otelcol-dify/collector.yaml"
	authConfig    = "--config=/etc/otelcol-dify/overlays/auth.yaml"
	logsConfig    = "--config=/etc/otelcol-dify/overlays/logs.yaml"
	defaultDBHost = "db_postgres"
	dockerProxy   = "docker-proxy"
	dockerSocket  = "/var/run/docker.sock"
)

// generations are the database variables in the .env of different versions of Dify.
var generations = map[string]map[string]string{
	"silent": {},
	"up to 1.10.0": {
		"DB_HOST": "db", "DB_PORT": "5432", "DB_USERNAME": "postgres", "DB_PASSWORD": "difyai123456",
		"DB_DATABASE": "dify",
	},
	"PostgreSQL": {
		"DB_TYPE": "postgresql", "DB_HOST": "db_postgres", "DB_PORT": "5432",
		"COMPOSE_PROFILES": "weaviate,postgresql,collaboration",
	},
	"MySQL": {
		"DB_TYPE": "mysql", "DB_HOST": "db_mysql", "DB_PORT": "3306", "DB_USERNAME": "root",
		"COMPOSE_PROFILES": "weaviate,mysql",
	},
	"lines without end": {
		"DB_TYPE": "", "DB_HOST": "", "DB_PORT": "", "REDIS_KEY_PREFIX": "",
		"CELERY_BROKER_URL": "", "OTLP_API_KEY": "",
	},
}

// others are further variables, Dify's or ours, that change the file's content.
var others = map[string]map[string]string{
	"none": {},
	"key":  {"OTLP_API_KEY": apiKey, "OTEL_API_KEY": apiKey},
	"own back ends": { //nolint:gosec // made up
		"OTELCOL_OPENSEARCH_URL":      "https://search.example.com",
		"OTELCOL_DASHBOARDS_URL":      "",
		"OTELCOL_OPENSEARCH_PASSWORD": `p"a$$s\s#1: {x}`,
	},
	"other network": {"OTELCOL_DIFY_NETWORK": "other_default"},
	"alerts": {
		"OTELCOL_ALERT_MAIL_TO":     "ops@example.com",
		"OTELCOL_ALERT_WEBHOOK_URL": "https://hooks.example.com/a?b=c",
		"SMTP_SERVER":               "smtp.example.com",
	},
	"overlays": {
		"OTELCOL_ARGS": "--config=/etc/otelcol-dify/overlays/containers.yaml --config=/etc/otelcol-dify/overlays/host.yaml",
	},
	"ports and amounts": {
		"OTELCOL_GRAFANA_PORT": "3001", "OTELCOL_MEMORY": "2g", "OTELCOL_OPENSEARCH_MEMORY": "4g",
		"OTELCOL_VERSION": "0.2.0",
	},
}

func TestEachProfileAndGeneration(t *testing.T) {
	for profile, services := range profiles {
		for generation, dify := range generations {
			for other, ours := range others {
				t.Run(fmt.Sprintf("%s/%s/%s", profile, generation, other), func(t *testing.T) {
					project := load(t, options{profile: profile, env: []map[string]string{dify, ours}})
					assert.ElementsMatch(t, services, project.ServiceNames())
					for _, service := range project.Services {
						checkService(t, service)
					}
					checkCollector(t, collectorOf(t, project), dify, ours)
					network := project.Networks["dify"]
					assert.True(t, bool(network.External), "Dify's network is Dify's")
					assert.Equal(t, or(ours["OTELCOL_DIFY_NETWORK"], "docker_default"), network.Name)
				})
			}
		}
	}
}

func or(value, instead string) string {
	if value == "" {
		return instead
	}
	return value
}

var pinned = regexp.MustCompile(`^[a-z/-]+:v?\d+\.\d+\.\d+$`)

// checkService checks what holds for each service.
func checkService(t *testing.T, service types.ServiceConfig) {
	t.Helper()
	name := service.Name
	assert.Regexp(t, pinned, service.Image)
	for _, port := range service.Ports {
		assert.Equalf(t, "127.0.0.1", port.HostIP, "%s publishes %s", name, port.Published)
	}
	assert.NotEqual(t, "host", service.NetworkMode, name)
	assert.False(t, service.Privileged, name)
	assert.Equal(t, []string{"ALL"}, service.CapDrop, name)
	assert.Empty(t, service.CapAdd, name)
	assert.Equal(t, []string{"no-new-privileges:true"}, service.SecurityOpt, name)
	if uid, _, _ := strings.Cut(service.User, ":"); name != dockerProxy { // only root can open Docker's socket
		assert.Regexp(t, `^[1-9]\d+$`, uid, "%s runs as root", name)
	}
	assert.Positive(t, service.MemLimit, name)
	assert.Positive(t, service.CPUS, name)
	assert.Positive(t, service.PidsLimit, name)
	assert.Equal(t, "unless-stopped", service.Restart, name)
	assert.Equal(t, "3", service.Logging.Options["max-file"], name)
	assert.Empty(t, service.DependsOn, "%s waits for nothing at its start", name)
	if !strings.HasPrefix(service.Image, "otelcol-dify:") { // the image has its health check
		require.NotNil(t, service.HealthCheck, name)
		assert.Equal(t, "CMD", service.HealthCheck.Test[0], name)
	}
	for _, volume := range service.Volumes {
		if volume.Type == types.VolumeTypeBind {
			assert.Truef(t, volume.ReadOnly, "%s mounts %s", name, volume.Source)
			if volume.Target != dockerSocket {
				assert.DirExists(t, volume.Source)
			}
		}
	}
}

// writable are the services without a read-only root; the file states the reasons.
var writable = []string{"alertmanager", "opensearch", "opensearch-dashboards"}

func TestReadOnlyRoots(t *testing.T) {
	for _, service := range load(t, options{}).Services {
		assert.Equal(t, !slices.Contains(writable, service.Name), service.ReadOnly, service.Name)
	}
}

// Docker's socket is in one container, which only container-stats reaches, and nobody on Dify's network.
func TestDockerIsBehindTheProxy(t *testing.T) {
	project := load(t, options{})
	assert.True(t, project.Networks["docker"].Internal)
	for name, service := range project.Services {
		for _, volume := range service.Volumes {
			assert.Equal(t, name == dockerProxy && volume.Target == dockerSocket, strings.Contains(volume.Source, "docker.sock"),
				"%s mounts %s", name, volume.Source)
		}
		onNetwork := slices.Contains(service.NetworksByPriority(), "docker")
		assert.Equal(t, name == dockerProxy || name == "container-stats", onNetwork, name)
	}
	proxy, err := project.GetService(dockerProxy)
	require.NoError(t, err)
	assert.Equal(t, []string{"docker"}, proxy.NetworksByPriority())
	assert.Empty(t, proxy.Ports)
	stats, err := project.GetService("container-stats")
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"default", "docker"}, stats.NetworksByPriority())
	assert.Equal(t, "tcp://docker-proxy:2375", environment(stats)["OTELCOL_DOCKER_ENDPOINT"])
	for _, argument := range stats.Command {
		assert.FileExists(t, onHost(t, stats, strings.TrimPrefix(argument, "--config=")))
	}
}

func checkCollector(t *testing.T, service types.ServiceConfig, dify, ours map[string]string) {
	t.Helper()
	all := maps.Clone(dify)
	maps.Copy(all, ours)
	env := environment(service)
	assert.Equal(t, or(all["DB_HOST"], defaultDBHost), env["DB_HOST"])
	assert.Equal(t, or(all["DB_TYPE"], "postgresql"), env["DB_TYPE"])
	assert.Equal(t, or(all["DB_PORT"], "0"), env["DB_PORT"])
	assert.Equal(t, or(all["OTELCOL_OPENSEARCH_URL"], "http://otelcol-opensearch:9200"), env["OTELCOL_OPENSEARCH_URL"])
	assert.Equal(t, all["OTELCOL_OPENSEARCH_PASSWORD"], env["OTELCOL_OPENSEARCH_PASSWORD"])

	command := []string{mainConfig}
	if all["OTLP_API_KEY"] != "" {
		command = append(command, authConfig)
	}
	command = append(command, strings.Fields(all["OTELCOL_ARGS"])...)
	assert.Equal(t, command, []string(service.Command))
	for _, argument := range command {
		path := strings.TrimPrefix(argument, "--config=/etc/otelcol-dify/")
		assert.FileExists(t, repo.Path("config", filepath.FromSlash(path)))
	}
	assert.Equal(t, "10001:10001", service.User)
	assert.Equal(t, "30s", service.StopGracePeriod.String())
	assert.ElementsMatch(t, []string{"default", "dify"}, slices.Collect(maps.Keys(service.Networks)))
	onlyStatusPage(t, service.Ports)
}

// onlyStatusPage checks that no other port is open, and this one for the machine only: Dify reaches the others on its
// network.
func onlyStatusPage(t *testing.T, ports []types.ServicePortConfig) {
	t.Helper()
	require.Len(t, ports, 1)
	assert.Equal(t, uint32(13134), ports[0].Target)
	assert.Equal(t, "127.0.0.1", ports[0].HostIP)
}
