// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const healthUsage = `Usage: difyctl health

Queries the collector's health_check extension at OTELCOL_HEALTH_ENDPOINT, without reading a configuration. It is the
health check of the image: it says that the collector runs, not that its back ends do. "difyctl doctor" does.

Exit codes: 0 if the collector is ready, 1 if not.
`

// defaultEndpoint is the default of OTELCOL_HEALTH_ENDPOINT in config/collector.yaml.
const defaultEndpoint = "0.0.0.0:13133"

func health(args []string, out io.Writer) error {
	if len(args) > 0 {
		if args[0] != "--help" && args[0] != "-h" {
			return usageError{errors.New("health takes no arguments")}
		}
		_, err := io.WriteString(out, healthUsage)
		return err
	}
	endpoint := os.Getenv("OTELCOL_HEALTH_ENDPOINT")
	if endpoint == "" {
		endpoint = defaultEndpoint
	}
	return ready(endpoint)
}

func ready(endpoint string) error {
	host, port, err := net.SplitHostPort(endpoint)
	if err != nil {
		return fmt.Errorf("OTELCOL_HEALTH_ENDPOINT: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, port) + "/"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody) //nolint:gosec // the operator's address
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req) //nolint:gosec // the address is the operator's
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the collector is not ready: HTTP %d", resp.StatusCode)
	}
	return nil
}
