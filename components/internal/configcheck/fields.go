// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package configcheck

import (
	"reflect"
	"slices"
	"strings"
)

// field is a field of a section, or of a struct that is squashed into it.
type field struct {
	key   string
	index []int
	typ   reflect.Type
}

// fields returns what a section may have, by the tags that the collector decodes by. A squashed optional section is
// none of its fields.
func fields(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("mapstructure"), ",")
		switch {
		case slices.Contains(strings.Split(options, ","), "squash") && f.Type.Kind() == reflect.Struct:
			for _, inner := range fields(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				out = append(out, inner)
			}
		case f.IsExported() && key != "" && key != "-":
			out = append(out, field{key: key, index: []int{i}, typ: f.Type})
		}
	}
	return out
}

// optionalValue returns T of a configoptional.Optional[T], nil for another type.
func optionalValue(t reflect.Type) reflect.Type {
	if t.Kind() != reflect.Struct || !strings.HasPrefix(t.Name(), "Optional[") {
		return nil
	}
	value, ok := t.FieldByName("value")
	if !ok {
		return nil
	}
	return value.Type
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "::" + key
}
