// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// item is a request with one span, metric or log record.
type item struct {
	text []byte
	// paths has the paths of its resource, scope and item in the request, from which it was taken.
	paths [3]string
}

// lists are the keys of the lists that a request nests.
var lists = map[string][3]string{
	traces:  {traces, "scopeSpans", "spans"},
	metrics: {metrics, "scopeMetrics", "metrics"},
	logs:    {logs, "scopeLogs", "logRecords"},
}

// split returns the items of a request.
func split(signal string, text []byte) ([]item, error) {
	var request map[string]any
	if err := unmarshal(text, &request); err != nil {
		return nil, err
	}
	var found []item
	var failure error
	var descend func(level int, parents []map[string]any, paths [3]string)
	descend = func(level int, parents []map[string]any, paths [3]string) {
		if level == len(paths) {
			one, err := json.Marshal(nest(signal, parents))
			failure = err
			found = append(found, item{one, paths})
			return
		}
		children, _ := parents[level][lists[signal][level]].([]any)
		for i, child := range children {
			if m, ok := child.(map[string]any); ok {
				paths[level] = fmt.Sprintf("%s[%d]", lists[signal][level], i)
				descend(level+1, append(parents[:level+1:level+1], m), paths)
			}
		}
	}
	descend(0, []map[string]any{request}, [3]string{})
	return found, failure
}

// nest returns a request with only these parents.
func nest(signal string, parents []map[string]any) any {
	child := any(parents[len(parents)-1])
	for level := len(parents) - 2; level >= 0; level-- {
		outer := maps.Clone(parents[level])
		outer[lists[signal][level]] = []any{child}
		child = outer
	}
	return child
}

// leaf is a value of an item.
type leaf struct{ path, key, value string }

// leaves returns the values of an item, with the paths of the request.
func (i *item) leaves(signal string, text []byte) ([]leaf, error) {
	var request any
	if err := unmarshal(text, &request); err != nil {
		return nil, err
	}
	var found []leaf
	flatten(request, "", "", func(l leaf) {
		for level, list := range lists[signal] {
			l.path = strings.Replace(l.path, list+"[0]", i.paths[level], 1)
		}
		found = append(found, l)
	})
	return found, nil
}

// flatten visits the values below a value, with the key of their attribute.
func flatten(value any, path, key string, visit func(leaf)) {
	switch v := value.(type) {
	case map[string]any:
		if name, ok := v["key"].(string); ok && len(v) <= 2 {
			flatten(v["value"], path, name, visit)
			return
		}
		for _, name := range sortedKeys(v) {
			flatten(v[name], join(path, name), key, visit)
		}
	case []any:
		for i, element := range v {
			if attribute, ok := element.(map[string]any); ok && len(attribute) <= 2 {
				if name, ok := attribute["key"].(string); ok {
					flatten(attribute["value"], join(path, name), name, visit)
					continue
				}
			}
			flatten(element, fmt.Sprintf("%s[%d]", path, i), key, visit)
		}
	case string:
		visit(leaf{path, key, v})
	case json.Number:
		visit(leaf{path, key, v.String()})
	case bool:
		visit(leaf{path, key, strconv.FormatBool(v)})
	}
}

// join leaves out the names of OTLP's types of values.
func join(path, name string) string {
	switch name {
	case "value", "values", "stringValue", "intValue", "doubleValue", "boolValue", "bytesValue", "arrayValue",
		"kvlistValue":
		return path
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
