// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// fakeDashboards keeps saved objects behind the two calls of its API that are used.
type fakeDashboards struct {
	objects map[string]map[string]any
	imports []string // "overwrite=false 14"
	meddle  func()   // between the look and the import
	reject  func(path string) (int, string)
	err     error
}

func (d *fakeDashboards) exchange(_ context.Context, req Request) (int, []byte, error) {
	if d.err != nil {
		return 0, nil, d.err
	}
	if d.reject != nil {
		if status, response := d.reject(req.Path); status != 0 {
			return status, []byte(response), nil
		}
	}
	if strings.HasSuffix(req.Path, "_bulk_get") {
		return d.bulkGet(req.Body)
	}
	if d.meddle != nil {
		d.meddle()
	}
	return d.handle(req)
}

func (d *fakeDashboards) bulkGet(body []byte) (int, []byte, error) {
	var asked []map[string]string
	if err := json.Unmarshal(body, &asked); err != nil {
		return http.StatusBadRequest, nil, err
	}
	responses := make([]any, 0, len(asked))
	for _, a := range asked {
		key := a["type"] + " " + a["id"]
		if o, ok := d.objects[key]; ok {
			responses = append(responses, o)
			continue
		}
		responses = append(responses, object{"type": a["type"], "id": a["id"], "error": object{
			"statusCode": 404, "error": "Not Found", "message": "Saved object [" + key + "] not found",
		}})
	}
	return http.StatusOK, []byte(nested(object{"saved_objects": responses})), nil
}

func (d *fakeDashboards) handle(req Request) (int, []byte, error) {
	_, params, err := mime.ParseMediaType(req.ContentType)
	if err != nil {
		return http.StatusUnsupportedMediaType, nil, err
	}
	part, err := multipart.NewReader(bytes.NewReader(req.Body), params["boundary"]).NextPart()
	if err != nil {
		return http.StatusBadRequest, nil, err
	}
	lines, err := io.ReadAll(part)
	if err != nil || part.FormName() != "file" || !strings.HasSuffix(part.FileName(), ".ndjson") {
		return http.StatusBadRequest, nil, err
	}
	failures, imported := []any{}, 0
	for line := range bytes.Lines(lines) {
		var o map[string]any
		if err := json.Unmarshal(line, &o); err != nil {
			return http.StatusBadRequest, nil, err
		}
		key := fmt.Sprintf("%s %s", o["type"], o["id"])
		if _, ok := d.objects[key]; ok && strings.HasSuffix(req.Path, "overwrite=false") {
			failures = append(failures, object{"id": o["id"], "type": o["type"], "error": object{"type": "conflict"}})
			continue
		}
		o["updated_at"], o["version"], o["namespaces"] = "2026-11-23T00:00:00Z", "WzEsMV0=", []any{"default"}
		d.objects[key] = o
		imported++
	}
	d.imports = append(
		d.imports,
		fmt.Sprintf("%s %d", strings.TrimPrefix(req.Path, "/api/saved_objects/_import?"), imported),
	)
	return http.StatusOK, []byte(
		nested(object{"success": len(failures) == 0, "successCount": imported, "errors": failures}),
	), nil
}

func importAll(t *testing.T, d *fakeDashboards, objects []SavedObject) *observer.ObservedLogs {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	require.NoError(t, ImportObjects(t.Context(), d.exchange, objects, zap.New(core)))
	return logs
}

// changed are the objects of another release: one search has one more column.
func changed(t *testing.T) []SavedObject {
	t.Helper()
	objects := Objects(options())
	i := slices.IndexFunc(objects, func(o SavedObject) bool { return o.ID == "otelcol-dify-failed-runs" })
	require.Positive(t, i)
	objects[i].Attributes["columns"] = append(objects[i].Attributes["columns"].([]string), "severity.text")
	return objects
}

const failedRunsKey = "search otelcol-dify-failed-runs"

func TestObjectsAreImportedOnceAndUpdated(t *testing.T) {
	d := &fakeDashboards{objects: map[string]map[string]any{}}
	objects := Objects(options())
	logs := importAll(t, d, objects)
	assert.Equal(t, []string{fmt.Sprintf("overwrite=false %d", len(objects))}, d.imports)
	assert.Equal(t, 1, logs.FilterField(zap.Int("created", len(objects))).Len())

	assert.Empty(t, importAll(t, d, objects).All())
	assert.Len(t, d.imports, 1, "what is in place is not written again")

	logs = importAll(t, d, changed(t))
	assert.Equal(t, "overwrite=true 1", d.imports[1])
	assert.Equal(t, 1, logs.FilterField(zap.Int("updated", 1)).Len())
	assert.Contains(t, fmt.Sprint(d.objects[failedRunsKey]["attributes"]), "severity.text")

	delete(d.objects, failedRunsKey)
	importAll(t, d, objects)
	assert.Equal(t, "overwrite=false 1", d.imports[2], "what was deleted comes back")
}

func TestObjectsThatAnOperatorChangedAreLeft(t *testing.T) {
	attributes := func(o map[string]any) map[string]any { return o["attributes"].(map[string]any) }
	for name, change := range map[string]func(o map[string]any){
		"a title":         func(o map[string]any) { attributes(o)["title"] = "mine" },
		"columns":         func(o map[string]any) { attributes(o)["columns"] = []any{"body"} },
		"a new field":     func(o map[string]any) { attributes(o)["columnWidths"] = map[string]any{"body": 3} },
		"the description": func(o map[string]any) { attributes(o)["description"] = "mine" },
		"another pattern": func(o map[string]any) { o["references"].([]any)[0].(map[string]any)["id"] = "mine" },
		"a newer version": func(o map[string]any) {
			attributes(o)["description"] = withMark("x", mark{objectsVersion + 1, "0123456789abcdef"})
		},
		"only before the mark": func(o map[string]any) { attributes(o)["description"] = "mine " + attributes(o)["description"].(string) },
	} {
		t.Run(name, func(t *testing.T) {
			d := &fakeDashboards{objects: map[string]map[string]any{}}
			importAll(t, d, Objects(options()))
			change(d.objects[failedRunsKey])
			before := nested(d.objects[failedRunsKey])
			logs := importAll(t, d, changed(t))
			assert.Len(t, d.imports, 1)
			assert.JSONEq(t, before, nested(d.objects[failedRunsKey]))
			assert.Equal(t, 1, logs.FilterField(zap.Strings("objects", []string{failedRunsKey})).Len())
		})
	}
}

// Dashboards writes the list of fields into an index pattern.
func TestIndexPatternsAreLeft(t *testing.T) {
	const key = "index-pattern otelcol-dify-traces"
	d := &fakeDashboards{objects: map[string]map[string]any{}}
	importAll(t, d, Objects(options()))
	attributes := d.objects[key]["attributes"].(map[string]any)
	attributes["fields"] = "[]"
	assert.Empty(t, importAll(t, d, Objects(options())).All())
	attributes["title"] = "mine-*"
	assert.Equal(t, 1, importAll(t, d, Objects(options())).FilterField(zap.Strings("objects", []string{key})).Len())
	assert.Len(t, d.imports, 1)
}

func TestObjectMadeAtTheSameMomentIsLeft(t *testing.T) {
	d := &fakeDashboards{objects: map[string]map[string]any{}}
	theirs := map[string]any{
		"type":       typeSearch,
		"id":         "otelcol-dify-failed-runs",
		"attributes": map[string]any{"title": "mine"},
	}
	d.meddle = func() { d.objects[failedRunsKey] = theirs }
	err := ImportObjects(t.Context(), d.exchange, Objects(options()), zap.NewNop())
	require.ErrorContains(t, err, "conflict")
	var rejected *RejectedError
	require.NotErrorAs(t, err, &rejected, "the next try finds it there")
	assert.Equal(t, 1, importAll(t, d, Objects(options())).FilterMessageSnippet("left as they are").Len())
	assert.Equal(t, theirs, d.objects[failedRunsKey])
}

func TestImportErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		path      string
		status    int
		body      string
		permanent bool
	}{
		"not up yet":         {"_bulk_get", http.StatusServiceUnavailable, "OpenSearch Dashboards server is not ready yet", false},
		"wrong password":     {"_bulk_get", http.StatusUnauthorized, `{"statusCode":401,"error":"Unauthorized","message":"Authentication required"}`, false},
		"a login page":       {"_bulk_get", http.StatusOK, "<html>", false},
		"role lacks right":   {"_bulk_get", http.StatusForbidden, `{"statusCode":403,"error":"Forbidden","message":"no permissions"}`, true},
		"another program":    {"_bulk_get", http.StatusNotFound, `{"statusCode":404,"error":"Not Found","message":"Not Found"}`, true},
		"a proxy's 404":      {"_bulk_get", http.StatusNotFound, `<html>`, false},
		"one is forbidden":   {"_bulk_get", http.StatusOK, bulkGetWith(403), false},
		"too large":          {"_import", http.StatusRequestEntityTooLarge, `{"statusCode":413,"error":"Request Entity Too Large"}`, false},
		"bad file":           {"_import", http.StatusBadRequest, `{"statusCode":400,"error":"Bad Request","message":"Invalid file extension"}`, true},
		"missing references": {"_import", http.StatusOK, `{"success":false,"errors":[{"id":"x","error":{"type":"missing_references"}}]}`, true},
		"unsupported type":   {"_import", http.StatusOK, `{"success":false,"errors":[{"id":"x","error":{"type":"unsupported_type"}}]}`, true},
		"a shard is away":    {"_import", http.StatusOK, `{"success":false,"errors":[{"id":"x","error":{"type":"unknown","statusCode":503}}]}`, false},
		"not Dashboards":     {"_import", http.StatusOK, `{}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := &fakeDashboards{objects: map[string]map[string]any{}, reject: func(path string) (int, string) {
				if strings.Contains(path, tt.path) {
					return tt.status, tt.body
				}
				return 0, ""
			}}
			err := ImportObjects(t.Context(), d.exchange, Objects(options()), zap.NewNop())
			require.ErrorContains(t, err, dashboardsWhat)
			var rejected *RejectedError
			assert.Equal(t, tt.permanent, errors.As(err, &rejected), err)
		})
	}
	away := errors.New("connection refused")
	require.ErrorIs(
		t,
		ImportObjects(t.Context(), (&fakeDashboards{err: away}).exchange, Objects(options()), zap.NewNop()),
		away,
	)
}

// bulkGetWith says of each object that it can't be read.
func bulkGetWith(status int) string {
	responses := []any{}
	for _, o := range Objects(options()) {
		responses = append(responses, object{"type": o.Type, "id": o.ID, "error": object{"statusCode": status}})
	}
	return nested(object{"saved_objects": responses})
}
