// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package merge combines configuration files of the collector such that overlays don't undo each other: lists of names
// are united, and a file can remove what another one has. It keeps comments and references to variables.
package merge

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is a configuration file.
type File struct {
	Name string // for errors
	Text []byte
}

// removeKey is the section that lists what to remove. The collector itself does not know it.
const removeKey = "remove"

var sections = []string{
	"receivers", "processors", "exporters", "connectors", "extensions", "service", "env", removeKey,
}

// Files returns one configuration with what all files have. Later files take precedence, except in lists of names:
// those have the names of all files. The order of the files matters only where two set the same key.
func Files(files []File) ([]byte, error) {
	if len(files) == 0 {
		return nil, errors.New("no file to merge")
	}
	var names []string
	m := &merger{result: &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, first: map[string][]string{}}
	for i, file := range files {
		names = append(names, file.Name)
		root, err := parse(file)
		if err != nil {
			return nil, err
		}
		m.file, m.isFirst = file.Name, i == 0
		if err := m.mapping(m.result, root, nil); err != nil {
			return nil, err
		}
	}
	m.override()
	if err := m.remove(); err != nil {
		return nil, err
	}
	m.result.HeadComment = fmt.Sprintf(
		"Written by `difyctl config %s`: change those files, not this one.", strings.Join(names, " "))
	return encode(m.result)
}

func parse(file File) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(file.Text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", file.Name, err)
	}
	if document.Kind == 0 {
		return &yaml.Node{Kind: yaml.MappingNode}, nil // only comments
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: must have sections such as `receivers` and `service`", file.Name, root.Line)
	}
	var errs []error
	for i := 0; i < len(root.Content); i += 2 {
		if key := root.Content[i]; !slices.Contains(sections, key.Value) {
			errs = append(errs, fmt.Errorf("%s:%d: %q is not a section: must be one of %s", file.Name, key.Line, key.Value,
				strings.Join(sections, ", ")))
		}
	}
	return root, errors.Join(errs...)
}

func encode(root *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

// merger merges one file after the other into a result.
type merger struct {
	result  *yaml.Node
	file    string
	isFirst bool

	first     map[string][]string // names in the lists of the first file, by path
	overrides []override
	removals  []removal
}

type override struct {
	path []string
	kept []string
}

type removal struct {
	path []string
	at   string // file and line
}

func (m *merger) mapping(into, from *yaml.Node, path []string) error {
	for i := 0; i < len(from.Content); i += 2 {
		key, value := from.Content[i], from.Content[i+1]
		below := append(slices.Clone(path), key.Value)
		if len(path) == 0 && key.Value == removeKey {
			if err := m.addRemovals(value); err != nil {
				return err
			}
			continue
		}
		if isNames(below) && value.Kind == yaml.SequenceNode {
			if err := m.names(into, key, value, below); err != nil {
				return err
			}
			continue
		}
		have := find(into, key.Value)
		if have != nil && have.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode {
			if err := m.mapping(have, value, below); err != nil {
				return err
			}
			continue
		}
		if err := m.set(into, key, value, below); err != nil {
			return err
		}
	}
	return nil
}

// set adds a key or replaces its value. A section is copied key by key, because it may have lists of names.
func (m *merger) set(into, key, value *yaml.Node, path []string) error {
	copied := value
	if value.Kind == yaml.MappingNode {
		flat := *value
		flat.Content = nil
		copied = &flat
		if err := m.mapping(copied, value, path); err != nil {
			return err
		}
	}
	if empty(value) && find(into, key.Value) != nil {
		return nil // `otlp:` without anything adds nothing
	}
	put(into, key, copied)
	return nil
}

func (m *merger) names(into, key, value *yaml.Node, path []string) error {
	names := make([]string, 0, len(value.Content))
	for _, item := range value.Content {
		if item.Kind != yaml.ScalarNode {
			return fmt.Errorf("%s:%d: `%s` must be a list of names", m.file, item.Line, strings.Join(path, "::"))
		}
		names = append(names, item.Value)
	}
	if value.Tag == "!override" {
		value.Tag = "!!seq"
		m.overrides = append(m.overrides, override{path, names})
	}
	if m.isFirst {
		m.first[strings.Join(path, "::")] = names
	}
	have := find(into, key.Value)
	if have == nil || have.Kind != yaml.SequenceNode {
		put(into, key, value)
		return nil
	}
	unite(have, value, path[len(path)-1] == "processors")
	return nil
}

func find(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func put(mapping, key, value *yaml.Node) {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key.Value {
			mapping.Content[i+1] = value
			return
		}
	}
	mapping.Content = append(mapping.Content, key, value)
}

func empty(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }
