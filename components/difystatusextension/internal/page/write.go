// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	_ "embed"
	"html/template"
	"io"
	"strconv"
	"time"
)

//go:embed page.html
var source string

// Write writes the page. It loads nothing from elsewhere and runs no script.
func Write(w io.Writer, s *Status) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"count": func(n float64) string { return strconv.FormatFloat(n, 'f', 0, 64) },
		"rate":  func(n float64) string { return strconv.FormatFloat(n, 'f', 1, 64) },
		"span":  func(seconds float64) string { return short(time.Duration(seconds * float64(time.Second))) },
		"ago": func(at time.Time) string {
			if at.IsZero() {
				return "never"
			}
			return short(s.Now.Sub(at)) + " ago"
		},
	}).Parse(source)
	if err != nil {
		return err
	}
	return t.Execute(w, s)
}

// short writes a duration with one unit.
func short(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, " d"}, {time.Hour, " h"}, {time.Minute, " min"}} {
		if d >= 2*unit.size {
			return strconv.Itoa(int(d/unit.size)) + unit.name
		}
	}
	return strconv.Itoa(max(0, int(d/time.Second))) + " s"
}
