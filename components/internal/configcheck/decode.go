// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package configcheck

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

// Decode decodes a section into cfg, a pointer to a configuration, and returns an error that names for each unknown
// key the path and the nearest known key.
//
// A component's Unmarshal keeps the error for Validate and returns nil: the collector stops at the first section that
// does not decode, but validates all of them and reports everything that it finds.
func Decode(conf *confmap.Conf, cfg any) error {
	err := conf.Unmarshal(cfg)
	if err == nil || !strings.Contains(err.Error(), "invalid keys") {
		return err
	}
	u := unknown{root: reflect.TypeOf(cfg).Elem(), reported: err.Error()}
	u.section(conf.ToStringMap(), u.root, "")
	if len(u.errs) == 0 {
		return err
	}
	return errors.Join(append(u.errs, conf.Unmarshal(cfg, confmap.WithIgnoreUnused()))...)
}

// unknown finds the keys that a type does not have.
type unknown struct {
	root reflect.Type
	// reported is the decoder's error. What it does not contain is not unknown, whatever the type looks like: a type
	// may have its own way to decode.
	reported string
	errs     []error
}

func (u *unknown) section(values map[string]any, t reflect.Type, path string) {
	t = sectionType(t)
	if t == nil {
		return
	}
	known := map[string]reflect.Type{}
	for _, f := range fields(t) {
		known[f.key] = f.typ
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		typ, ok := known[key]
		switch {
		case ok:
			u.value(values[key], typ, join(path, key))
		case strings.Contains(u.reported, key):
			u.errs = append(u.errs, fmt.Errorf("`%s` is not a key%s", join(path, key), u.advice(key, path, known)))
		}
	}
}

func (u *unknown) value(value any, t reflect.Type, path string) {
	switch v := value.(type) {
	case map[string]any:
		u.section(v, t, path)
	case []any:
		if t.Kind() != reflect.Slice {
			return
		}
		for i, element := range v {
			u.value(element, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
		}
	}
}

// advice returns what may have been meant: a key that is spelled similarly, the same key in another section, or else
// the keys that are possible.
func (u *unknown) advice(key, path string, known map[string]reflect.Type) string {
	names := slices.Sorted(maps.Keys(known))
	if nearest := nearest(key, names); nearest != "" {
		return fmt.Sprintf("; did you mean %#q?", join(path, nearest))
	}
	if elsewhere := find(u.root, key, "", 0); elsewhere != "" {
		return fmt.Sprintf("; did you mean %#q?", elsewhere)
	}
	return ": must be one of " + strings.Join(names, ", ")
}

// maxDepth bounds the search for a key in other sections: no section is deeper.
const maxDepth = 4

// find returns the path of a key at any depth below a type.
func find(t reflect.Type, key, path string, depth int) string {
	t = sectionType(t)
	if t == nil || depth > maxDepth {
		return ""
	}
	all := fields(t)
	for _, f := range all {
		if f.key == key {
			return join(path, key)
		}
	}
	for _, f := range all {
		if found := find(f.typ, key, join(path, f.key), depth+1); found != "" {
			return found
		}
	}
	return ""
}

// sectionType returns the struct that a section is decoded into, nil if it is none.
func sectionType(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if value := optionalValue(t); value != nil {
		return sectionType(value)
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

// nearest returns the name that is at most a third of its letters away from key, "" if there is none.
func nearest(key string, names []string) string {
	best, distance := "", max(2, len(key)/3)+1
	for _, name := range names {
		if d := edits(key, name); d < distance && d < len(key) && d < len(name) {
			best, distance = name, d
		}
	}
	return best
}

// edits returns how many letters have to be inserted, removed, replaced or exchanged with the next to turn a into b.
func edits(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
