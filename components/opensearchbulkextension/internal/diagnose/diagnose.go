// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package diagnose checks OpenSearch and OpenSearch Dashboards for `difyctl doctor`. It writes nothing.
package diagnose

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/otelcol-dify/otelcol-dify/doctor/check"
)

const (
	connection = "opensearch: connection"
	rights     = "opensearch: rights"
	health     = "opensearch: health"
	templates  = "opensearch: index templates"
	disk       = "opensearch: disk"
	shards     = "opensearch: shards"
	clock      = "opensearch: clock"

	fixURL   = "OTELCOL_OPENSEARCH_URL"
	fixLogin = "OTELCOL_OPENSEARCH_USERNAME and OTELCOL_OPENSEARCH_PASSWORD"
	fixRole  = "the role of the user: config/opensearch/role.yaml"

	watermark, highWatermark = 85.0, 90.0 // percent; OpenSearch's own
	defaultShards            = 1000       // for each node
	fewShards                = 50
)

// Server is a client of OpenSearch.
type Server struct {
	Endpoint           string // without credentials
	Username, Password string
	Client             *http.Client
	// Explain adds the likely fix to an error of the network.
	Explain func(error) error
}

// get decodes a response. The status is 0 if there is none.
func (s *Server) get(ctx context.Context, path string, into any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(s.Endpoint, "/")+path, http.NoBody)
	if err != nil {
		return 0, err
	}
	if s.Username != "" {
		req.SetBasicAuth(s.Username, s.Password)
	}
	resp, err := s.Client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || into == nil {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, json.NewDecoder(resp.Body).Decode(into)
}

// OpenSearch checks the server. setup reports whether the component writes index templates.
func OpenSearch(ctx context.Context, s *Server, setup bool) []check.Result {
	first, ok := connect(ctx, s)
	if !ok {
		results := []check.Result{first}
		for _, name := range []string{rights, health, templates, disk, shards, clock} {
			results = append(results, check.Skipped(name, "no connection"))
		}
		return results
	}
	results := append([]check.Result{first}, template(ctx, s, setup)...)
	return append(results, capacity(ctx, s)...)
}

func connect(ctx context.Context, s *Server) (check.Result, bool) {
	var root struct {
		Version struct{ Number, Distribution string }
	}
	status, err := s.get(ctx, "/", &root)
	switch {
	case err != nil && status == 0:
		err = s.Explain(err)
		fix := fixURL
		if strings.Contains(err.Error(), "certificate") {
			fix = "OTELCOL_OPENSEARCH_CA_FILE, and the host name in OTELCOL_OPENSEARCH_URL"
		}
		return check.Failed(connection, err.Error(), fix), false
	case status == http.StatusUnauthorized:
		return check.Failed(connection, s.Endpoint+" rejects the login", fixLogin), false
	case status != http.StatusOK && status != http.StatusForbidden:
		return check.Failed(connection, fmt.Sprintf("%s responds with HTTP %d", s.Endpoint, status), fixURL), false
	case status == http.StatusOK && root.Version.Distribution != "opensearch":
		return check.Failed(connection, s.Endpoint+" is not OpenSearch", fixURL), false
	}
	return check.OK(connection, strings.TrimSpace(s.Endpoint+" "+root.Version.Number)), true
}

func template(ctx context.Context, s *Server, setup bool) []check.Result {
	var found struct {
		Templates []struct{ Name string } `json:"index_templates"`
	}
	status, err := s.get(ctx, "/_index_template/otelcol-dify-*", &found)
	switch {
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return []check.Result{
			check.Failed(rights, "the user may not read index templates", fixRole), check.Skipped(templates, ""),
		}
	case err != nil:
		return []check.Result{check.Failed(rights, s.Explain(err).Error(), fixURL), check.Skipped(templates, "")}
	case len(found.Templates) == 0 && setup:
		return []check.Result{check.OK(rights, "index templates can be read"), check.Warning(templates,
			"there are none: fields get the types of the first document until they are written",
			"start the collector, and look for \"setup\" in its log; or `opensearch_bulk::setup::enabled`")}
	}
	return []check.Result{
		check.OK(rights, "index templates can be read"), check.OK(templates, fmt.Sprintf("%d of ours", len(found.Templates))),
	}
}

// capacity is what fills up. The minimal role may not read it, which is no fault.
func capacity(ctx context.Context, s *Server) []check.Result {
	var cluster struct {
		Status string
		Active int `json:"active_shards"`
		Nodes  int `json:"number_of_data_nodes"`
	}
	status, err := s.get(ctx, "/_cluster/health", &cluster)
	if err != nil || status != http.StatusOK {
		unknown := "the user may not read it, and needs not"
		return []check.Result{
			check.Skipped(health, unknown), check.Skipped(disk, unknown), check.Skipped(shards, unknown),
			check.Skipped(clock, unknown),
		}
	}
	state := check.OK(health, cluster.Status)
	if cluster.Status == "red" {
		state = check.Failed(health, "red: a part of the indices is unavailable", "OpenSearch's own log, and its disks")
	}
	return []check.Result{state, space(ctx, s), left(ctx, s, cluster.Active, cluster.Nodes), skew(ctx, s)}
}

func space(ctx context.Context, s *Server) check.Result {
	var blocked map[string]json.RawMessage
	status, _ := s.get(ctx, "/_all/_settings/index.blocks.read_only_allow_delete?flat_settings=true", &blocked)
	for index, settings := range blocked {
		if status == http.StatusOK && strings.Contains(string(settings), `"true"`) {
			return check.Failed(disk, "the disk was full, and "+index+" is read-only since", "free space on OpenSearch's "+
				"disk, then PUT _all/_settings {\"index.blocks.read_only_allow_delete\": null}; "+
				"`opensearch_bulk::setup::retention_days` deletes older indices")
		}
	}
	var stats struct {
		Nodes map[string]struct {
			FS struct {
				Total struct {
					Total     float64 `json:"total_in_bytes"`
					Available float64 `json:"available_in_bytes"`
				}
			}
		}
	}
	status, err := s.get(ctx, "/_nodes/stats/fs?filter_path=nodes.*.fs.total", &stats)
	if err != nil || status != http.StatusOK {
		return check.Skipped(disk, "the user may not read it, and needs not")
	}
	used := 0.0
	for _, node := range stats.Nodes {
		if total := node.FS.Total; total.Total > 0 {
			used = max(used, 100*(1-total.Available/total.Total))
		}
	}
	detail := fmt.Sprintf("%.0f %% of the fullest disk is used", used)
	switch {
	case used > highWatermark:
		return check.Failed(disk, detail+": OpenSearch soon stops writing", "free space, or lower "+
			"`opensearch_bulk::setup::retention_days`")
	case used > watermark:
		return check.Warning(disk, detail, "free space, or lower `opensearch_bulk::setup::retention_days`")
	}
	return check.OK(disk, detail)
}

func left(ctx context.Context, s *Server, active, nodes int) check.Result {
	limit := defaultShards
	var settings map[string]map[string]string
	status, err := s.get(ctx, "/_cluster/settings?flat_settings=true", &settings)
	if err == nil && status == http.StatusOK {
		for _, section := range []string{"persistent", "transient"} {
			_, _ = fmt.Sscan(settings[section]["cluster.max_shards_per_node"], &limit)
		}
	}
	remaining := limit*max(nodes, 1) - active
	detail := fmt.Sprintf("%d of %d are in use", active, limit*max(nodes, 1))
	switch {
	case remaining <= 0:
		return check.Failed(shards, detail+": no index can be created", "delete old indices, lower "+
			"`opensearch_bulk::setup::retention_days`, or raise OpenSearch's cluster.max_shards_per_node")
	case remaining < fewShards:
		return check.Warning(shards, detail, "delete old indices, or lower `opensearch_bulk::setup::retention_days`")
	}
	return check.OK(shards, detail)
}

func skew(ctx context.Context, s *Server) check.Result {
	var stats struct {
		Nodes map[string]struct{ Timestamp int64 }
	}
	status, err := s.get(ctx, "/_nodes/stats/os?filter_path=nodes.*.timestamp", &stats)
	if err != nil || status != http.StatusOK {
		return check.Skipped(clock, "")
	}
	for _, node := range stats.Nodes {
		by := time.Since(time.UnixMilli(node.Timestamp)).Round(time.Second)
		if by.Abs() > time.Minute {
			return check.Failed(clock, fmt.Sprintf("OpenSearch's clock differs from this machine's by %s", by.Abs()),
				"synchronize the clocks (NTP)")
		}
	}
	return check.OK(clock, "OpenSearch's clock agrees with this machine's")
}

// Dashboards checks OpenSearch Dashboards.
func Dashboards(ctx context.Context, s *Server) check.Result {
	const name, fix = "dashboards: connection", "OTELCOL_DASHBOARDS_URL"
	if s == nil {
		return check.OK(name, "off: OTELCOL_DASHBOARDS_URL is empty")
	}
	status, err := s.get(ctx, "/api/status", nil)
	switch {
	case err != nil:
		return check.Failed(name, s.Explain(err).Error(), fix)
	case status == http.StatusUnauthorized:
		return check.Failed(name, s.Endpoint+" rejects the login", fixLogin)
	case status != http.StatusOK:
		return check.Failed(name, fmt.Sprintf("%s responds with HTTP %d", s.Endpoint, status), fix)
	}
	return check.OK(name, s.Endpoint)
}
