// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// manifest is what builder-config.yaml lists, inventory what the binary reports.
type (
	manifest struct {
		Dist struct {
			Description string `yaml:"description"`
		} `yaml:"dist"`
		Receivers  []manifestEntry `yaml:"receivers"`
		Processors []manifestEntry `yaml:"processors"`
		Exporters  []manifestEntry `yaml:"exporters"`
		Connectors []manifestEntry `yaml:"connectors"`
		Extensions []manifestEntry `yaml:"extensions"`
		Providers  []manifestEntry `yaml:"providers"`
	}
	manifestEntry struct {
		GoMod string `yaml:"gomod"`
	}
	inventory struct {
		BuildInfo struct {
			Command     string `yaml:"command"`
			Description string `yaml:"description"`
		} `yaml:"buildinfo"`
		Receivers  []inventoryEntry `yaml:"receivers"`
		Processors []inventoryEntry `yaml:"processors"`
		Exporters  []inventoryEntry `yaml:"exporters"`
		Connectors []inventoryEntry `yaml:"connectors"`
		Extensions []inventoryEntry `yaml:"extensions"`
		Providers  []struct {
			Scheme string `yaml:"scheme"`
			Module string `yaml:"module"`
		} `yaml:"providers"`
	}
	inventoryEntry struct {
		Name   string `yaml:"name"`
		Module string `yaml:"module"`
	}
)

func TestComponentsEqualBuilderConfig(t *testing.T) {
	text, err := os.ReadFile(repo.Path("builder-config.yaml"))
	require.NoError(t, err)
	var want manifest
	require.NoError(t, yaml.Unmarshal(text, &want))
	got := components(t)

	assert.Equal(t, "otelcol-dify", got.BuildInfo.Command)
	assert.Equal(t, want.Dist.Description, got.BuildInfo.Description)
	for _, kind := range []struct {
		name string
		want []manifestEntry
		got  []inventoryEntry
	}{
		{"receivers", want.Receivers, got.Receivers},
		{"processors", want.Processors, got.Processors},
		{"exporters", want.Exporters, got.Exporters},
		{"connectors", want.Connectors, got.Connectors},
		{"extensions", want.Extensions, got.Extensions},
	} {
		assert.NotEmpty(t, kind.want, kind.name)
		var modules, built []string
		for _, entry := range kind.want {
			modules = append(modules, entry.GoMod)
		}
		for _, entry := range kind.got {
			built = append(built, entry.Module)
		}
		assert.ElementsMatch(t, modules, built, kind.name)
	}
	assert.Len(t, got.Providers, len(want.Providers))
}

func TestOurComponentsHaveTheirNames(t *testing.T) {
	const ours = "github.com/otelcol-dify/otelcol-dify v0.0.0"
	got := components(t)
	for _, kind := range []struct {
		entries []inventoryEntry
		want    []string
	}{
		{got.Receivers, []string{"workflow_log", "celery_queue"}},
		{got.Processors, []string{"dify_filter"}},
		{got.Exporters, []string{"sentry"}},
		{got.Extensions, []string{"dify_status", "opensearch_bulk", "otlp_guard"}},
	} {
		var names []string
		for _, entry := range kind.entries {
			if entry.Module == ours {
				names = append(names, entry.Name)
			}
		}
		assert.ElementsMatch(t, kind.want, names)
	}
}

func components(t *testing.T) inventory {
	t.Helper()
	result := collector.Run(t, nil, "components")
	require.Zero(t, result.Code, result.Output)
	var got inventory
	require.NoError(t, yaml.Unmarshal([]byte(result.Output), &got))
	return got
}
