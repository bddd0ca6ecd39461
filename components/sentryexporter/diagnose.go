// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"fmt"
	"net/http"

	"github.com/otelcol-dify/otelcol-dify/components/internal/neterr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/delivery"
	"github.com/otelcol-dify/otelcol-dify/doctor/check"
)

// Diagnose checks the DSNs of a configuration for `difyctl doctor`. It sends an event to each only if test is set.
func Diagnose(ctx context.Context, cfg *Config, test bool) []check.Result {
	dsns := []string{string(cfg.DSN)}
	for _, route := range cfg.Routes {
		dsns = append(dsns, string(route.DSN))
	}
	var results []check.Result
	seen := map[string]bool{}
	for _, raw := range dsns {
		if raw != "" && !seen[raw] {
			seen[raw] = true
			results = append(results, diagnoseDSN(ctx, raw, test))
		}
	}
	if len(results) == 0 {
		return []check.Result{check.OK("sentry: DSN", "off: OTELCOL_SENTRY_DSN is empty")}
	}
	return results
}

func diagnoseDSN(ctx context.Context, raw string, test bool) check.Result {
	const name, variable = "sentry: DSN", "OTELCOL_SENTRY_DSN"
	dsn, err := delivery.ParseDSN(raw)
	if err != nil {
		return check.Failed(name, err.Error(), variable+", as Sentry's project settings show it")
	}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	reach := dsn.Reach
	if test {
		reach = dsn.SendTest
	}
	status, err := reach(ctx, client)
	switch {
	case err != nil:
		return check.Failed(name, neterr.Server{
			Name: "Sentry", Address: dsn.Project, Setting: variable, Plain: "http://", Secure: "https://",
			Trust: "`sentry::tls::ca_file`",
		}.Explain(err).Error(), variable+", or HTTPS_PROXY where a proxy is needed")
	case test && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return check.Failed(name, fmt.Sprintf("%s rejects the key: HTTP %d", dsn.Project, status), variable)
	case test && status != http.StatusOK, status >= http.StatusInternalServerError:
		return check.Failed(name, fmt.Sprintf("%s responds with HTTP %d", dsn.Project, status),
			variable+", or Sentry's own state")
	case test:
		return check.OK(name, dsn.Project+" accepted a test event")
	}
	return check.OK(name, dsn.Project+" can be reached; --sentry-test sends an event")
}
