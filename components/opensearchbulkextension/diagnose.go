// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/neterr"
	"github.com/otelcol-dify/otelcol-dify/components/internal/pipelinecheck"
	"github.com/otelcol-dify/otelcol-dify/components/internal/storageclient"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/diagnose"
	"github.com/otelcol-dify/otelcol-dify/doctor/check"
)

// Login is what an authenticator of the configuration adds to requests.
type Login struct{ Username, Password string }

// Diagnose checks OpenSearch and OpenSearch Dashboards for `difyctl doctor`. It writes nothing.
func Diagnose(ctx context.Context, cfg *Config, login Login) []check.Result {
	if cfg.HTTP.Endpoint == "" {
		return []check.Result{check.Warning("opensearch: connection",
			"not checked: `opensearch_bulk::http::endpoint` is empty", "OTELCOL_OPENSEARCH_URL")}
	}
	server, err := diagnosed(ctx, &cfg.HTTP, login, "OpenSearch", "OTELCOL_OPENSEARCH_URL")
	if err != nil {
		return []check.Result{check.Failed("opensearch: connection", err.Error(), "OTELCOL_OPENSEARCH_CA_FILE")}
	}
	results := diagnose.OpenSearch(ctx, server, cfg.Setup.Enabled)
	var dashboards *diagnose.Server
	if cfg.Setup.Dashboards.Endpoint != "" {
		dashboards, err = diagnosed(ctx, &cfg.Setup.Dashboards, login, "OpenSearch Dashboards", "OTELCOL_DASHBOARDS_URL")
		if err != nil {
			return append(results, check.Failed("dashboards: connection", err.Error(), "OTELCOL_OPENSEARCH_CA_FILE"))
		}
	}
	return append(results, diagnose.Dashboards(ctx, dashboards))
}

func diagnosed(
	ctx context.Context, client *confighttp.ClientConfig, login Login, name, variable string,
) (*diagnose.Server, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if strings.HasPrefix(client.Endpoint, "https://") {
		var err error
		if transport.TLSClientConfig, err = client.TLS.LoadTLSConfig(ctx); err != nil {
			return nil, err
		}
	}
	return &diagnose.Server{
		Endpoint: client.Endpoint, Username: login.Username, Password: login.Password,
		Client: &http.Client{Transport: transport},
		Explain: neterr.Server{
			Name: name, Address: client.Endpoint, Setting: variable, Plain: "http://", Secure: "https://",
			Trust: "OTELCOL_OPENSEARCH_CA_FILE",
		}.Explain,
	}, nil
}

// DiagnosePipelines returns what is valid in a configuration and gives up a guarantee, as the extension logs it at its
// start.
func DiagnosePipelines(conf *confmap.Conf) []check.Result {
	const name = "configuration: pipelines"
	warnings, err := pipelinecheck.Warnings(conf)
	if err != nil {
		return []check.Result{check.Failed(name, err.Error(), "`service::pipelines`")}
	}
	if len(warnings) == 0 {
		return []check.Result{check.OK(name, "every pipeline keeps what is promised")}
	}
	var results []check.Result
	for _, warning := range warnings {
		key, what, _ := strings.Cut(warning, "` ")
		results = append(results, check.Warning(name, key+"` "+what, "the key in your configuration files"))
	}
	return results
}

// DiagnoseStorage checks a directory of a file_storage extension.
func DiagnoseStorage(id, directory string) check.Result { return storageclient.Diagnose(id, directory) }
