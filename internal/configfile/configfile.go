// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package configfile reads configuration files of the collector, for programs that are not the collector.
package configfile

import (
	"context"
	"os"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

// Resolve merges files, in which ${env:NAME:-default} and the like are replaced as the collector does.
func Resolve(ctx context.Context, files ...string) (*confmap.Conf, error) {
	uris := make([]string, 0, len(files))
	for _, file := range files {
		if strings.HasPrefix(file, "yaml:") {
			uris = append(uris, file)
			continue
		}
		if _, err := os.Stat(file); err != nil {
			return nil, err
		}
		uris = append(uris, "file:"+file)
	}
	factories := make([]confmap.ProviderFactory, 0, len(sources))
	for scheme := range sources {
		factories = append(factories, confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider {
			return scheme
		}))
	}
	resolver, err := confmap.NewResolver(confmap.ResolverSettings{
		URIs: uris, ProviderFactories: factories, DefaultScheme: "env",
	})
	if err != nil {
		return nil, err
	}
	return resolver.Resolve(ctx)
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
