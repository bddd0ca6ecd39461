// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor"
	"github.com/otelcol-dify/otelcol-dify/internal/configfile"
)

const processorType = "dify_filter"

// loadConfig returns the configuration of a dify_filter, or the defaults if there is no file.
func loadConfig(file, id string) (*difyfilterprocessor.Config, error) {
	cfg, ok := difyfilterprocessor.NewFactory().CreateDefaultConfig().(*difyfilterprocessor.Config)
	if !ok || file == "" {
		return cfg, nil
	}
	conf, err := configfile.Resolve(context.Background(), file)
	if err != nil {
		return nil, fmt.Errorf("--config %s: %w", file, err)
	}
	section, err := processorSection(conf, id)
	if err != nil {
		return nil, fmt.Errorf("--config %s: %w", file, err)
	}
	if err := section.Unmarshal(cfg); err != nil {
		return nil, fmt.Errorf("--config %s: %w", file, err)
	}
	return cfg, nil
}

// processorSection returns the section of the processor with an ID, or of the only one.
func processorSection(conf *confmap.Conf, id string) (*confmap.Conf, error) {
	processors, err := conf.Sub("processors")
	if err != nil {
		return nil, err
	}
	var ids []string
	for name := range processors.ToStringMap() {
		if name == processorType || strings.HasPrefix(name, processorType+"/") {
			ids = append(ids, name)
		}
	}
	slices.Sort(ids)
	switch {
	case len(ids) == 0:
		return nil, fmt.Errorf("processors has no %s", processorType)
	case id == "" && len(ids) > 1:
		return nil, fmt.Errorf("processors has %s: choose one by --processor", strings.Join(ids, ", "))
	case id == "":
		id = ids[0]
	case !slices.Contains(ids, id):
		return nil, fmt.Errorf("processors has no %q, but %s", id, strings.Join(ids, ", "))
	}
	return processors.Sub(id)
}
