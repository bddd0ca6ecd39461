// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package merge

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// isNames reports whether a path leads to a list of names of components.
func isNames(path []string) bool {
	switch {
	case len(path) == 2:
		return path[0] == "service" && path[1] == "extensions"
	case len(path) == 4:
		return path[0] == "service" && path[1] == "pipelines" &&
			slices.Contains([]string{"receivers", "processors", "exporters"}, path[3])
	}
	return false
}

// unite adds the names that a list lacks. The order of processors matters: a new one has the same neighbor as in its
// own file, and without one it comes before dify_filter, after which nothing may be added.
func unite(have, from *yaml.Node, ordered bool) {
	for i, item := range from.Content {
		if index(have, item.Value) >= 0 {
			continue
		}
		at := len(have.Content)
		if ordered {
			at = place(have, from, i)
		}
		have.Content = slices.Insert(have.Content, at, item)
	}
}

func place(have, from *yaml.Node, i int) int {
	if i > 0 { // the one before it has its place by now
		return index(have, from.Content[i-1].Value) + 1
	}
	for _, later := range from.Content[i+1:] {
		if at := index(have, later.Value); at >= 0 {
			return at
		}
	}
	for at, item := range have.Content {
		if name, _, _ := strings.Cut(item.Value, "/"); name == "dify_filter" {
			return at
		}
	}
	return len(have.Content)
}

func index(list *yaml.Node, name string) int {
	return slices.IndexFunc(list.Content, func(item *yaml.Node) bool { return item.Value == name })
}

// override removes from the lists of the first file what an `!override` does not have. What the other files add stays,
// so that their order does not matter.
func (m *merger) override() {
	for _, o := range m.overrides {
		list := m.at(o.path)
		if list == nil {
			continue
		}
		first := m.first[strings.Join(o.path, "::")]
		list.Content = slices.DeleteFunc(list.Content, func(item *yaml.Node) bool {
			return slices.Contains(first, item.Value) && !slices.Contains(o.kept, item.Value)
		})
	}
}

func (m *merger) at(path []string) *yaml.Node {
	node := m.result
	for _, key := range path {
		if node = find(node, key); node == nil {
			return nil
		}
	}
	return node
}

func (m *merger) addRemovals(list *yaml.Node) error {
	if list.Kind != yaml.SequenceNode {
		return fmt.Errorf("%s:%d: `remove` must be a list of paths such as `exporters::sentry`", m.file, list.Line)
	}
	for _, item := range list.Content {
		m.removals = append(m.removals, removal{
			path: strings.Split(item.Value, "::"), at: fmt.Sprintf("%s:%d", m.file, item.Line),
		})
	}
	return nil
}

// remove removes what the sections `remove` list, when all files are merged: their order does not matter. A component
// that is removed is removed from the pipelines and the extensions too, and with the last receiver or exporter the
// pipeline.
func (m *merger) remove() error {
	var errs []error
	for _, r := range m.removals {
		if !m.removeOne(r.path) {
			errs = append(errs, fmt.Errorf("%s: there is no `%s` to remove", r.at, strings.Join(r.path, "::")))
		}
	}
	if len(m.removals) > 0 {
		m.dropEmptyPipelines()
	}
	return errors.Join(errs...)
}

func (m *merger) removeOne(path []string) bool {
	last := len(path) - 1
	parent := m.at(path[:last])
	if parent == nil {
		return false
	}
	if parent.Kind == yaml.SequenceNode {
		return removeName(parent, path[last])
	}
	if find(parent, path[last]) == nil {
		return false
	}
	for i := 0; i < len(parent.Content); i += 2 {
		if parent.Content[i].Value == path[last] {
			parent.Content = slices.Delete(parent.Content, i, i+2)
			break
		}
	}
	if len(path) == 2 {
		m.removeReferences(path[0], path[1])
	}
	return true
}

func removeName(list *yaml.Node, name string) bool {
	before := len(list.Content)
	list.Content = slices.DeleteFunc(list.Content, func(item *yaml.Node) bool { return item.Value == name })
	return len(list.Content) < before
}

func (m *merger) removeReferences(section, name string) {
	if extensions := m.at([]string{"service", "extensions"}); extensions != nil && section == "extensions" {
		removeName(extensions, name)
	}
	m.eachPipeline(func(_, pipeline *yaml.Node) {
		for i := 0; i < len(pipeline.Content); i += 2 {
			if list := pipeline.Content[i].Value; list == section || section == "connectors" && list != "processors" {
				removeName(pipeline.Content[i+1], name)
			}
		}
	})
}

func (m *merger) eachPipeline(do func(id, pipeline *yaml.Node)) {
	pipelines := m.at([]string{"service", "pipelines"})
	if pipelines == nil {
		return
	}
	for i := 0; i < len(pipelines.Content); i += 2 {
		do(pipelines.Content[i], pipelines.Content[i+1])
	}
}

func (m *merger) dropEmptyPipelines() {
	var empty []string
	m.eachPipeline(func(id, pipeline *yaml.Node) {
		for _, key := range []string{"receivers", "exporters"} {
			if list := find(pipeline, key); list != nil && len(list.Content) == 0 {
				empty = append(empty, id.Value)
				return
			}
		}
	})
	for _, id := range empty {
		m.removeOne([]string{"service", "pipelines", id})
	}
}
