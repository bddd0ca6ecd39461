// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// OpenSearchEnv names the variable with the URL of an OpenSearch to use. The collector's indices in it are deleted.
const OpenSearchEnv = "OTELCOL_TEST_OPENSEARCH_URL"

// cacheEnv names the variable with the folder that tests/setup.sh unpacks into.
const cacheEnv = "OTELCOL_TEST_CACHE"

// Written by the collector: emptied between tests.
const ourIndices = "workflow-logs-*,dify-traces-*,dify-logs-*,otelcol-dify-dead-letter*"

// OpenSearch is an OpenSearch node.
type OpenSearch struct {
	server
	URL    string
	CAFile string // empty without TLS
	client *http.Client
	spec   proc.Spec
}

// NodeOptions are the differences of a test's own node from the usual one.
type NodeOptions struct {
	Secure   bool     // TLS, users and roles; see AdminUser
	Settings []string // as http.max_content_length=2mb
}

// AdminUser has all permissions on a secure node. It is also the password.
const AdminUser = "admin"

// StartOpenSearch starts one, or uses the one in the environment.
func StartOpenSearch(ctx context.Context) (*OpenSearch, error) {
	if address := os.Getenv(OpenSearchEnv); address != "" {
		o := &OpenSearch{URL: strings.TrimSuffix(address, "/"), client: http.DefaultClient}
		err := o.ready(ctx)
		return o, err
	}
	return StartOpenSearchNode(ctx, NodeOptions{})
}

// StartOpenSearchNode starts one that the test may kill, pause and restart.
func StartOpenSearchNode(ctx context.Context, opts NodeOptions) (*OpenSearch, error) {
	o := &OpenSearch{client: http.DefaultClient}
	if err := o.boot(ctx, opts); err != nil {
		_ = o.Stop()
		return nil, err
	}
	return o, nil
}

func (o *OpenSearch) boot(ctx context.Context, opts NodeOptions) (err error) {
	if o.dir, err = proc.NewDir("opensearch"); err != nil {
		return err
	}
	script := filepath.Join(o.dir, "start.sh")
	err = errors.Join( // the server's user may not be able to read the repository
		copyFile(repo.Path("tests", "opensearch", "start.sh"), script),
		copyFile(repo.Path("tests", "opensearch", "pom.xml"), filepath.Join(o.dir, "pom.xml")),
	)
	if err != nil {
		return err
	}
	ports, err := proc.FreePorts(1) // not 0: the node keeps its port across restarts
	if err != nil {
		return err
	}
	o.URL = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	command := "run"
	if opts.Secure {
		command, o.URL = "run-secure", fmt.Sprintf("https://127.0.0.1:%d", ports[0])
		o.CAFile = filepath.Join(o.dir, "node", "config", "ca.pem")
	}
	cache := os.Getenv(cacheEnv)
	if cache == "" {
		cache = fmt.Sprintf("/var/tmp/otelcol-dify-tests-%d", os.Getuid())
	}
	o.spec = proc.Spec{
		Name:         "opensearch",
		Path:         "/bin/bash",
		Args:         []string{script, command, strconv.Itoa(ports[0]), filepath.Join(o.dir, "node")},
		Env:          []string{cacheEnv + "=" + cache, "OTELCOL_TEST_JAVA_HOME=" + os.Getenv("OTELCOL_TEST_JAVA_HOME")},
		Unprivileged: true,
	}
	o.set(opts.Settings)
	return o.start(ctx, o.spec, o.ready)
}

// Kill kills the node.
func (o *OpenSearch) Kill() {
	o.process.Kill()
}

// Restart stops the node if it is running, and starts it with its data and port. Settings are added to the previous
// ones.
func (o *OpenSearch) Restart(ctx context.Context, settings ...string) error {
	if err := o.process.Stop(); err != nil {
		return err
	}
	o.set(settings)
	return o.start(ctx, o.spec, o.ready)
}

// set adds settings to the command line. An existing one is replaced.
func (o *OpenSearch) set(settings []string) {
	for _, setting := range settings {
		name, _, _ := strings.Cut(setting, "=")
		o.spec.Args = slices.DeleteFunc(o.spec.Args, func(arg string) bool { return strings.HasPrefix(arg, "-E"+name+"=") })
		o.spec.Args = append(o.spec.Args, "-E"+setting)
	}
}

// Pause makes the node hang until Unpause.
func (o *OpenSearch) Pause() error {
	return o.process.Signal(syscall.SIGSTOP)
}

// Unpause resumes a paused node.
func (o *OpenSearch) Unpause() error {
	return o.process.Signal(syscall.SIGCONT)
}

func (o *OpenSearch) ready(ctx context.Context) error {
	if o.CAFile != "" && o.client == http.DefaultClient {
		client, err := adminClient(o.CAFile)
		if err != nil {
			return err
		}
		o.client = client
	}
	const health = "/_cluster/health?wait_for_status=yellow&timeout=1s"
	if err := o.Send(ctx, http.MethodGet, health, nil, &struct{}{}); err != nil {
		return err
	}
	// A single node has no replicas. Without this setting each index stays yellow.
	return o.Send(ctx, http.MethodPut, "/_cluster/settings",
		map[string]any{"persistent": map[string]any{"cluster.default_number_of_replicas": 0}}, &struct{}{})
}

// adminClient logs in to a secure node, once the node has created its certificates.
func adminClient(caFile string) (*http.Client, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) { // still being written
		return nil, fmt.Errorf("no certificate in %s yet", caFile)
	}
	return &http.Client{Transport: adminLogin{&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}}, nil
}

type adminLogin struct{ base http.RoundTripper }

func (l adminLogin) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.SetBasicAuth(AdminUser, AdminUser)
	return l.base.RoundTrip(req)
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644) //nolint:gosec // another user reads it
}

// Reset deletes what earlier tests wrote.
func (o *OpenSearch) Reset(ctx context.Context) error {
	return o.Send(ctx, http.MethodDelete, "/"+ourIndices+"?expand_wildcards=all", nil, &struct{}{})
}

// Hit is a document.
type Hit struct {
	Index  string         `json:"_index"`
	ID     string         `json:"_id"`
	Source map[string]any `json:"_source"`
}

// Search returns up to 10,000 documents of the indices that match a pattern, or none without such an index.
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

// Count returns the number of documents in the indices that match a pattern.
func (o *OpenSearch) Count(ctx context.Context, pattern string) (int, error) {
	if err := o.Send(ctx, http.MethodPost, "/"+pattern+"/_refresh", nil, &struct{}{}); err != nil {
		return 0, err
	}
	var answer struct {
		Count int `json:"count"`
	}
	err := o.Send(ctx, http.MethodGet, "/"+pattern+"/_count", nil, &answer)
	return answer.Count, err
}

// Walk visits every document of the indices that match a pattern, with the given fields.
func (o *OpenSearch) Walk(ctx context.Context, pattern string, fields []string, visit func(Hit)) error {
	if err := o.Send(ctx, http.MethodPost, "/"+pattern+"/_refresh", nil, &struct{}{}); err != nil {
		return err
	}
	path := "/" + pattern + "/_search?scroll=1m"
	body := map[string]any{"size": 5000, "sort": []string{"_doc"}, "_source": fields}
	for {
		var answer struct {
			ScrollID string `json:"_scroll_id"`
			Hits     struct {
				Hits []Hit `json:"hits"`
			} `json:"hits"`
		}
		if err := o.Send(ctx, http.MethodPost, path, body, &answer); err != nil {
			return err
		}
		path, body = "/_search/scroll", map[string]any{"scroll": "1m", "scroll_id": answer.ScrollID}
		if len(answer.Hits.Hits) == 0 {
			return o.Send(ctx, http.MethodDelete, "/_search/scroll", map[string]any{"scroll_id": answer.ScrollID}, &struct{}{})
		}
		for _, hit := range answer.Hits.Hits {
			visit(hit)
		}
	}
}

// All is the query for every document.
func All() any {
	return map[string]any{"match_all": map[string]any{}}
}

// Send sends a request and decodes the response.
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
	if err := doJSON(o.client, req, answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}
