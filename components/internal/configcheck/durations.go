// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package configcheck has the checks of the configuration that all components share.
package configcheck

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Range has the values that a duration may have.
type Range struct {
	Min, Max time.Duration
	// Zero is what 0 does, as in "sends spans immediately". Without it 0 is an error unless Min is 0.
	Zero string
}

// Day and Year are for the upper ends of ranges.
const (
	Day  = 24 * time.Hour
	Year = 365 * Day
)

// otherwise is the range of a duration that no one has named, like those of the collector's client settings.
var otherwise = Range{Min: time.Millisecond, Max: Year, Zero: "leaves it off or to its default"}

// Durations checks every duration of cfg, a pointer to a configuration, at any depth. The keys of ranges are the
// durations' paths as in `discovery::interval`. Errors name the path, the range and, for a number without a unit, the
// unit.
func Durations(cfg any, ranges map[string]Range) error {
	durations := map[string]time.Duration{}
	collect(reflect.ValueOf(cfg).Elem(), "", durations)
	var errs []error
	for _, path := range slices.Sorted(maps.Keys(durations)) {
		r, ok := ranges[path]
		if !ok {
			r = otherwise
		}
		errs = append(errs, r.check(path, durations[path]))
	}
	return errors.Join(errs...)
}

func (r Range) check(path string, d time.Duration) error {
	if d >= r.Min && d <= r.Max || d == 0 && r.Zero != "" {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "`%s` is %s: must be from %s to %s", path, short(d), short(r.Min), short(r.Max))
	if r.Zero != "" {
		fmt.Fprintf(&text, "; 0 %s", r.Zero)
	}
	if d > 0 && d < time.Millisecond && d < r.Min {
		key := path[strings.LastIndex(path, ":")+1:]
		fmt.Fprintf(&text, "; a number without a unit is in ns: add the unit, as in `%s: %ds`", key, int64(d))
	}
	return errors.New(text.String())
}

// short writes a duration without units that are 0: 5m, not 5m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

var durationType = reflect.TypeFor[time.Duration]()

// collect adds the durations of a struct by their paths. Optional sections that are off are left out.
func collect(v reflect.Value, path string, into map[string]time.Duration) {
	switch {
	case v.Type() == durationType:
		into[path] = time.Duration(v.Int())
	case v.Kind() == reflect.Pointer && !v.IsNil():
		collect(v.Elem(), path, into)
	case v.Kind() == reflect.Struct && optionalValue(v.Type()) != nil:
		if v.CanAddr() && v.CanInterface() {
			collect(v.Addr().MethodByName("Get").Call(nil)[0], path, into)
		}
	case v.Kind() == reflect.Struct:
		for _, f := range fields(v.Type()) {
			collect(v.FieldByIndex(f.index), join(path, f.key), into)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		for i := range v.Len() {
			collect(v.Index(i), fmt.Sprintf("%s[%d]", path, i), into)
		}
	}
}
