// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

func text(conf *confmap.Conf, key string) string {
	value := conf.Get(key)
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// callable returns the address at which what listens on an endpoint can be called from here.
func callable(endpoint string) string {
	host, port, err := net.SplitHostPort(endpoint)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// telemetryAddress returns where the collector serves its own metrics.
func telemetryAddress(conf *confmap.Conf) string {
	host, port := "127.0.0.1", "8888"
	readers, _ := conf.Get("service::telemetry::metrics::readers").([]any)
	for _, reader := range readers {
		at := reader
		for _, key := range []string{"pull", "exporter", "prometheus"} {
			section, _ := at.(map[string]any)
			at = section[key]
		}
		if section, ok := at.(map[string]any); ok {
			host, port = fmt.Sprint(section["host"]), fmt.Sprint(section["port"])
		}
	}
	return callable(net.JoinHostPort(host, port))
}

func dial(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{Timeout: requestTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func listen(ctx context.Context, address string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return listener.Close()
}

func request(ctx context.Context, method, address, key, body string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
