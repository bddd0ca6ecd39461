// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package dashboards is a test double of OpenSearch Dashboards, of which no package for tests exists. It implements
// the part of the saved objects API that is used, and is as strict as Dashboards' documentation and routes: the xsrf
// header, the login, a multipart file that ends in .ndjson, known types in a supported format, references that
// resolve, no conflicts.
package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"sync"
	"testing"
)

// formats are the newest that OpenSearch Dashboards 2 and 3 write.
var formats = map[string]string{
	"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3",
}

// Object is a saved object.
type Object struct {
	Type             string            `json:"type"`
	ID               string            `json:"id"`
	Attributes       map[string]any    `json:"attributes"`
	References       []Reference       `json:"references"`
	MigrationVersion map[string]string `json:"migrationVersion"`
	UpdatedAt        string            `json:"updated_at,omitempty"`
	Version          string            `json:"version,omitempty"`
	Namespaces       []string          `json:"namespaces,omitempty"`
}

// Reference refers to another object.
type Reference struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Server is a Dashboards.
type Server struct {
	*httptest.Server
	username, password string

	mu      sync.Mutex
	ready   bool              // guarded by mu, as below
	refused int               // requests before it was ready
	objects map[string]Object // of the global tenant
}

// Start starts one that requires a login and is not ready yet.
func Start(tb testing.TB, username, password string) *Server {
	tb.Helper()
	s := &Server{username: username, password: password, objects: map[string]Object{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/saved_objects/_bulk_get", s.bulkGet)
	mux.HandleFunc("POST /api/saved_objects/_import", s.load)
	s.Server = httptest.NewServer(s.guard(mux))
	tb.Cleanup(s.Close)
	return s
}

// Ready ends the state "server is not ready yet".
func (s *Server) Ready() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = true
}

// Refused returns the number of requests before it was ready.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// Objects returns the objects of the global tenant, by type and id.
func (s *Server) Objects() map[string]Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	copied := map[string]Object{}
	for key, o := range s.objects {
		o.Attributes = maps.Clone(o.Attributes)
		copied[key] = o
	}
	return copied
}

// Put changes an object as a user does in the browser.
func (s *Server) Put(o Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[o.Key()] = o
}

// Key names an object.
func (o Object) Key() string { return o.Type + "/" + o.ID }

func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		ready := s.ready
		if !ready {
			s.refused++
		}
		s.mu.Unlock()
		username, password, _ := r.BasicAuth()
		switch {
		case !ready:
			http.Error(w, "OpenSearch Dashboards server is not ready yet", http.StatusServiceUnavailable)
		case username != s.username || password != s.password:
			fail(w, http.StatusUnauthorized, "Unauthorized", "Authentication required")
		case r.Header.Get("osd-xsrf") == "" && r.Header.Get("osd-version") == "":
			fail(w, http.StatusBadRequest, "Bad Request", "Request must contain a osd-xsrf header.")
		case r.Header.Get("securitytenant") != "global":
			fail(w, http.StatusForbidden, "Forbidden", "this test has no other tenant")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Server) bulkGet(w http.ResponseWriter, r *http.Request) {
	var asked []struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if r.Header.Get("Content-Type") != "application/json" || decoder.Decode(&asked) != nil {
		fail(w, http.StatusBadRequest, "Bad Request", "[request body]: expected value of type [array]")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []any{}
	for _, a := range asked {
		key := Object{Type: a.Type, ID: a.ID}.Key()
		if o, ok := s.objects[key]; ok {
			found = append(found, o)
			continue
		}
		found = append(found, map[string]any{"type": a.Type, "id": a.ID, "error": map[string]any{
			"statusCode": http.StatusNotFound, "error": "Not Found", "message": "Saved object [" + key + "] not found",
		}})
	}
	reply(w, http.StatusOK, map[string]any{"saved_objects": found})
}

func (s *Server) load(w http.ResponseWriter, r *http.Request) {
	overwrite, err := strconv.ParseBool(r.URL.Query().Get("overwrite"))
	if err != nil {
		fail(w, http.StatusBadRequest, "Bad Request", "[request query.overwrite]: expected value of type [boolean]")
		return
	}
	objects, err := readFile(r)
	if err != nil {
		fail(w, http.StatusBadRequest, "Bad Request", err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	taken, failures := []any{}, []any{}
	for _, o := range objects {
		if kind, detail := s.refuses(o, objects, overwrite); kind != "" {
			failures = append(
				failures, map[string]any{"type": o.Type, "id": o.ID, "error": map[string]any{"type": kind, "detail": detail}},
			)
			continue
		}
		o.UpdatedAt, o.Version, o.Namespaces = "2026-11-23T00:00:00.000Z", "WzEsMV0=", []string{"default"}
		s.objects[o.Key()] = o
		taken = append(
			taken, map[string]any{"type": o.Type, "id": o.ID, "meta": map[string]any{"title": o.Attributes["title"]}},
		)
	}
	answer := map[string]any{"success": len(failures) == 0, "successCount": len(taken), "successResults": taken}
	if len(failures) > 0 {
		answer["errors"] = failures
	}
	reply(w, http.StatusOK, answer)
}

// readFile reads the one file of the form.
func readFile(r *http.Request) ([]Object, error) {
	file, header, err := r.FormFile("file")
	if err != nil {
		return nil, fmt.Errorf("[request body.file]: %w", err)
	}
	defer file.Close()
	if extension := path.Ext(header.Filename); extension != ".ndjson" {
		return nil, fmt.Errorf("invalid file extension %s", extension)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse reads an export. What is not a saved object's field is an error.
func Parse(ndjson []byte) ([]Object, error) {
	var objects []Object
	for line := range bytes.Lines(ndjson) {
		var o Object
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&o); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(objects)+1, err)
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// refuses returns the kind of an import's error, or an empty string. The caller holds mu.
func (s *Server) refuses(o Object, file []Object, overwrite bool) (kind, detail string) {
	if _, known := formats[o.Type]; !known {
		return "unsupported_type", o.Type
	}
	if o.MigrationVersion[o.Type] != formats[o.Type] {
		return "unknown", "not the format of this version"
	}
	if _, there := s.objects[o.Key()]; there && !overwrite {
		return "conflict", ""
	}
	for _, r := range o.References {
		if r.Type != "index-pattern" && r.Type != "search" {
			continue // those are the types that Dashboards checks
		}
		if !s.resolves(r, file) {
			return "missing_references", r.ID
		}
	}
	return "", ""
}

func (s *Server) resolves(r Reference, file []Object) bool {
	key := Object{Type: r.Type, ID: r.ID}.Key()
	if _, there := s.objects[key]; there {
		return true
	}
	for _, o := range file {
		if o.Key() == key {
			return true
		}
	}
	return false
}

func fail(w http.ResponseWriter, status int, what, message string) {
	reply(w, status, map[string]any{"statusCode": status, "error": what, "message": message})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone, and will retry
}
