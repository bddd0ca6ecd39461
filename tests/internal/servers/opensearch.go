// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// OpenSearchEnv names the variable with the URL of an OpenSearch to use. Indices that the collector writes are deleted.
const OpenSearchEnv = "OTELCOL_TEST_OPENSEARCH_URL"

// cacheEnv names the variable with the folder that tests/setup.sh unpacks into.
const cacheEnv = "OTELCOL_TEST_CACHE"

// Written by the collector: emptied between tests.
const ourIndices = "workflow-logs-*,dify-traces-*,dify-logs-*,otelcol-dify-dead-letter*"

// OpenSearch is an OpenSearch node.
type OpenSearch struct {
	server
	URL string
}

// StartOpenSearch starts one, or takes the one in the environment.
func StartOpenSearch(ctx context.Context) (*OpenSearch, error) {
	if address := os.Getenv(OpenSearchEnv); address != "" {
		o := &OpenSearch{URL: strings.TrimSuffix(address, "/")}
		err := o.ready(ctx)
		return o, err
	}
	o := &OpenSearch{}
	if err := o.boot(ctx); err != nil {
		_ = o.Stop()
		return nil, err
	}
	return o, nil
}

func (o *OpenSearch) boot(ctx context.Context) (err error) {
	if o.dir, err = proc.NewDir("opensearch"); err != nil {
		return err
	}
	for _, name := range []string{"start.sh", "pom.xml"} { // the repository may be closed to the user that runs it
		if err := copyFile(repo.Path("tests", "opensearch", name), filepath.Join(o.dir, name)); err != nil {
			return err
		}
	}
	cache := os.Getenv(cacheEnv)
	if cache == "" {
		cache = fmt.Sprintf("/var/tmp/otelcol-dify-tests-%d", os.Getuid())
	}
	return o.start(ctx, proc.Spec{
		Name:         "opensearch",
		Path:         "/bin/bash",
		Args:         []string{filepath.Join(o.dir, "start.sh"), "run", "0", filepath.Join(o.dir, "node")},
		Env:          []string{cacheEnv + "=" + cache, "OTELCOL_TEST_JAVA_HOME=" + os.Getenv("OTELCOL_TEST_JAVA_HOME")},
		Unprivileged: true,
	}, o.bound)
}

// bound reads the port once the node has written it, then asks for the node's health.
func (o *OpenSearch) bound(ctx context.Context) error {
	ports, err := os.ReadFile(filepath.Join(o.dir, "node", "logs", "http.ports"))
	if err != nil {
		return err
	}
	address, _, _ := strings.Cut(string(ports), "\n")
	o.URL = "http://" + address
	return o.ready(ctx)
}

func (o *OpenSearch) ready(ctx context.Context) error {
	if _, err := getJSON[any](ctx, o.URL+"/_cluster/health?wait_for_status=yellow&timeout=1s"); err != nil {
		return err
	}
	// One node holds no replicas; without this each index is yellow for ever.
	return o.Send(ctx, http.MethodPut, "/_cluster/settings",
		map[string]any{"persistent": map[string]any{"cluster.default_number_of_replicas": 0}}, &struct{}{})
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644) //nolint:gosec // another user reads it
}

// Reset deletes what earlier tests left behind.
func (o *OpenSearch) Reset(ctx context.Context) error {
	return o.Send(ctx, http.MethodDelete, "/"+ourIndices+"?expand_wildcards=all", nil, &struct{}{})
}

// Hit is a document.
type Hit struct {
	Index  string         `json:"_index"`
	ID     string         `json:"_id"`
	Source map[string]any `json:"_source"`
}

// Search returns up to 10,000 documents of the indices that a pattern names; none if there is no such index.
func (o *OpenSearch) Search(ctx context.Context, pattern string, query any) ([]Hit, error) {
	if err := o.Send(ctx, http.MethodPost, "/"+pattern+"/_refresh", nil, &struct{}{}); err != nil {
		return nil, err
	}
	var answer struct {
		Hits struct {
			Hits []Hit `json:"hits"`
		} `json:"hits"`
	}
	body := map[string]any{"size": 10000, "query": query}
	err := o.Send(ctx, http.MethodPost, "/"+pattern+"/_search", body, &answer)
	return answer.Hits.Hits, err
}

// Count is the number of documents in the indices that a pattern names.
func (o *OpenSearch) Count(ctx context.Context, pattern string) (int, error) {
	if err := o.Send(ctx, http.MethodPost, "/"+pattern+"/_refresh", nil, &struct{}{}); err != nil {
		return 0, err
	}
	answer, err := getJSON[struct {
		Count int `json:"count"`
	}](ctx, o.URL+"/"+pattern+"/_count")
	return answer.Count, err
}

// All is the query for every document.
func All() any {
	return map[string]any{"match_all": map[string]any{}}
}

// Send sends a request and decodes the answer.
func (o *OpenSearch) Send(ctx context.Context, method, path string, body, answer any) error {
	text := []byte{}
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, o.URL+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if err := doJSON(req, answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}
