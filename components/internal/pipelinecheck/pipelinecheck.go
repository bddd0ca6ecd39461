// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package pipelinecheck finds what is valid in a configuration and gives up something that the shipped one promises.
package pipelinecheck

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
)

const (
	filterType     = "dify_filter"
	batchType      = "batch"
	openSearchType = "opensearch"
	bulkType       = "opensearch_bulk"
	storageType    = "file_storage"
)

// After dify_filter these only choose; and these exporters deliver nothing to a back end.
var (
	choosing = []string{"tail_sampling", "probabilistic_sampler", "filter", "memory_limiter", batchType, filterType}
	local    = []string{"debug", "nop"}
)

type configuration struct {
	Connectors map[string]any            `mapstructure:"connectors"`
	Exporters  map[string]map[string]any `mapstructure:"exporters"`
	Extensions map[string]any            `mapstructure:"extensions"`
	Service    struct {
		Pipelines map[string]pipeline `mapstructure:"pipelines"`
	} `mapstructure:"service"`
}

type pipeline struct {
	Receivers  []string `mapstructure:"receivers"`
	Processors []string `mapstructure:"processors"`
	Exporters  []string `mapstructure:"exporters"`
}

// Warnings returns a sentence for each fault, with what it costs, in a stable order.
func Warnings(conf *confmap.Conf) ([]string, error) {
	var c configuration
	if err := conf.Unmarshal(&c, confmap.WithIgnoreUnused()); err != nil {
		return nil, err
	}
	var warnings []string
	used := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(c.Service.Pipelines)) {
		p := c.Service.Pipelines[id]
		p.Exporters = slices.DeleteFunc(slices.Clone(p.Exporters), func(exporter string) bool {
			_, connector := c.Connectors[exporter]
			return connector || slices.Contains(local, typeOf(exporter))
		})
		for _, exporter := range p.Exporters {
			used[exporter] = true
		}
		warnings = append(warnings, p.warnings(id, c.filtered(id))...)
	}
	for _, id := range slices.Sorted(maps.Keys(used)) {
		warnings = append(warnings, exporterWarnings(id, c.Exporters[id])...)
	}
	for _, id := range slices.Sorted(maps.Keys(c.Extensions)) {
		if section, ok := c.Extensions[id].(map[string]any); ok && typeOf(id) == storageType {
			warnings = append(warnings, storageWarnings(id, section)...)
		}
	}
	return warnings, nil
}

// filtered reports whether everything that a pipeline receives has passed a dify_filter of another one.
func (c *configuration) filtered(id string, seen ...string) bool {
	if slices.Contains(seen, id) {
		return false // in a circle, which the collector refuses
	}
	receivers := c.Service.Pipelines[id].Receivers
	for _, receiver := range receivers {
		if _, connector := c.Connectors[receiver]; !connector {
			return false
		}
		for from, p := range c.Service.Pipelines {
			if slices.Contains(p.Exporters, receiver) && p.filter() < 0 && !c.filtered(from, append(seen, id)...) {
				return false
			}
		}
	}
	return len(receivers) > 0
}

// filter returns the position of the last dify_filter, or -1: what is between two is redacted by the second.
func (p pipeline) filter() int {
	for i, processor := range slices.Backward(p.Processors) {
		if typeOf(processor) == filterType {
			return i
		}
	}
	return -1
}

func (p pipeline) warnings(id string, filtered bool) []string {
	if len(p.Exporters) == 0 {
		return nil
	}
	var warnings []string
	add := func(format string, args ...any) {
		warnings = append(warnings, fmt.Sprintf("`service::pipelines::%s::processors` ", id)+fmt.Sprintf(format, args...))
	}
	to := strings.Join(p.Exporters, ", ")
	filter := p.filter()
	filtered = filtered || filter >= 0
	if !filtered {
		add("has no dify_filter: content, personal data and secrets reach %s unredacted, and Dify's processes, names and "+
			"statuses are not repaired", to)
	}
	for i, processor := range p.Processors {
		switch {
		case typeOf(processor) == batchType:
			add("has %s, which accepts telemetry before it is delivered: what it has is lost when the collector is killed, "+
				"and a full queue refuses without a retry; use `sending_queue::batch` of the exporter", processor)
		case filtered && i > filter && !slices.Contains(choosing, typeOf(processor)):
			add("has %s after dify_filter: what it adds or changes reaches %s unredacted; put it before", processor, to)
		}
	}
	return warnings
}

func exporterWarnings(id string, section map[string]any) []string {
	if hasMiddleware(section) {
		return nil // opensearch_bulk checks the exporters that use it
	}
	var warnings []string
	if typeOf(id) == openSearchType {
		warnings = append(warnings, fmt.Sprintf("`exporters::%s::http::middlewares` does not name opensearch_bulk: "+
			"documents are lost whenever OpenSearch refuses or does not respond, and may exist twice", id))
	}
	if queue, ok := section["sending_queue"].(map[string]any); ok && queue["enabled"] != false &&
		queue["storage"] == nil && queue["wait_for_result"] != true {
		warnings = append(warnings, fmt.Sprintf("`exporters::%s::sending_queue` has no `storage`: what waits there is lost "+
			"when the collector stops", id))
	}
	return warnings
}

func storageWarnings(id string, section map[string]any) []string {
	directory, _ := section["directory"].(string)
	key := fmt.Sprintf("`extensions::%s::directory`", id)
	switch {
	case directory == "":
		return nil // the extension has a default, and checks it
	case !filepath.IsAbs(directory):
		return []string{fmt.Sprintf("%s is the relative path %q: started in another folder, the collector does not find "+
			"what it has stored; write an absolute path (OTELCOL_STORAGE_DIR)", key, directory)}
	case filepath.Dir(filepath.Clean(directory)) == string(filepath.Separator):
		return []string{fmt.Sprintf("%s is %s, directly below the root: OTELCOL_STORAGE_DIR is set to an empty value; "+
			"remove the variable or set it to a folder", key, directory)}
	}
	return nil
}

func hasMiddleware(section map[string]any) bool {
	http, _ := section["http"].(map[string]any)
	middlewares, _ := http["middlewares"].([]any)
	return slices.ContainsFunc(middlewares, func(entry any) bool {
		middleware, _ := entry.(map[string]any)
		switch id := middleware["id"].(type) {
		case string:
			return typeOf(id) == bulkType
		case component.ID:
			return id.Type().String() == bulkType
		}
		return false
	})
}

// typeOf returns the type of a component's ID.
func typeOf(id string) string {
	name, _, _ := strings.Cut(id, "/")
	return name
}
