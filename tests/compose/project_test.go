// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package compose reads the compose files as docker compose does, and runs the collector as they specify.
package compose

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

const collectorService = "otelcol-dify"

// profiles are the profiles with their services.
var profiles = map[string][]string{
	"collector": {collectorService},
	"full": {
		collectorService, "alertmanager", "container-stats", "docker-proxy", "grafana", "opensearch", "opensearch-dashboards",
		"prometheus",
	},
}

// options are the arguments of docker compose.
type options struct {
	files   []string            // --file, from the repository's root; default: docker-compose.yaml
	env     []map[string]string // --env-file, one each
	profile string              // --profile; default: full
}

// load returns the project that docker compose loads from the files, independent of the tests' environment.
func load(t *testing.T, o options) *types.Project {
	t.Helper()
	if o.files == nil {
		o.files = []string{"docker-compose.yaml"}
	}
	if o.profile == "" {
		o.profile = "full"
	}
	paths := make([]string, len(o.files))
	for i, file := range o.files {
		paths[i] = file
		if !filepath.IsAbs(file) {
			paths[i] = repo.Path(filepath.FromSlash(file))
		}
	}
	envFiles := []string{"/dev/null"} // or compose would look for an .env file
	for i, env := range o.env {
		envFiles = append(envFiles, writeEnv(t, fmt.Sprintf("%d.env", i), env))
	}
	settings, err := cli.NewProjectOptions(
		paths,
		cli.WithWorkingDirectory(
			filepath.Dir(paths[0]),
		),
		cli.WithEnvFiles(envFiles...),
		cli.WithDotEnv,
		cli.WithDefaultProfiles(o.profile),
	)
	require.NoError(t, err)
	project, err := settings.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

// writeEnv writes an env file with values that compose does not change.
func writeEnv(t *testing.T, name string, env map[string]string) string {
	t.Helper()
	var text strings.Builder
	for key, value := range env {
		fmt.Fprintf(&text, "%s='%s'\n", key, value)
	}
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o600))
	return path
}

// collectorOf returns the collector's service.
func collectorOf(t *testing.T, project *types.Project) types.ServiceConfig {
	t.Helper()
	service, err := project.GetService(collectorService)
	require.NoError(t, err)
	return service
}

// environment returns the variables of a service's container.
func environment(service types.ServiceConfig) map[string]string {
	env := map[string]string{}
	for name, value := range service.Environment {
		if value != nil {
			env[name] = *value
		}
	}
	return env
}
