// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor"
)

const processorType = "dify_filter"

// loadConfig returns the configuration of a dify_filter, or the defaults if there is no file.
func loadConfig(file, id string) (*difyfilterprocessor.Config, error) {
	cfg, ok := difyfilterprocessor.NewFactory().CreateDefaultConfig().(*difyfilterprocessor.Config)
	if !ok || file == "" {
		return cfg, nil
	}
	conf, err := resolve(file)
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

// resolve reads a configuration file, in which ${env:NAME:-default} and the like are replaced as the collector does.
func resolve(file string) (*confmap.Conf, error) {
	if _, err := os.Stat(file); err != nil { //nolint:gosec // the operator's file
		return nil, err
	}
	factories := make([]confmap.ProviderFactory, 0, len(sources))
	for scheme := range sources {
		factories = append(factories, confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider {
			return scheme
		}))
	}
	resolver, err := confmap.NewResolver(confmap.ResolverSettings{
		URIs: []string{"file:" + file}, ProviderFactories: factories, DefaultScheme: "env",
	})
	if err != nil {
		return nil, err
	}
	return resolver.Resolve(context.Background())
}

// source is a scheme of references in a configuration. It is a confmap.Provider.
type source string

var sources = map[source]func(of string) ([]byte, error){
	"file": os.ReadFile,
	"yaml": func(of string) ([]byte, error) { return []byte(of), nil },
	"env": func(of string) ([]byte, error) {
		name, byDefault, _ := strings.Cut(of, ":-")
		if value, ok := os.LookupEnv(name); ok {
			return []byte(value), nil
		}
		return []byte(byDefault), nil
	},
}

func (s source) Retrieve(_ context.Context, uri string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	text, err := sources[s](strings.TrimPrefix(uri, string(s)+":"))
	if err != nil {
		return nil, err
	}
	return confmap.NewRetrievedFromYAML(text)
}

func (s source) Scheme() string { return string(s) }

func (source) Shutdown(context.Context) error { return nil }
