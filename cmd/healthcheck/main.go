// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Command healthcheck is the health check of the image, which has no shell: it queries the collector's health_check
// extension and exits with 0 if the collector is ready, with 1 otherwise.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// defaultEndpoint is the default of OTELCOL_HEALTH_ENDPOINT in config/collector.yaml.
const defaultEndpoint = "0.0.0.0:13133"

func main() {
	endpoint := os.Getenv("OTELCOL_HEALTH_ENDPOINT")
	if endpoint == "" {
		endpoint = defaultEndpoint
	}
	if err := check(endpoint); err != nil {
		fmt.Fprintln(os.Stderr, "healthcheck:", err)
		os.Exit(1)
	}
}

func check(endpoint string) error {
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
