// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package endpoints finds the addresses in a configuration of the collector.
package endpoints

import (
	"fmt"
	"net"

	"go.opentelemetry.io/collector/confmap"
)

// Text returns the value of a key as text, "" if there is none.
func Text(conf *confmap.Conf, key string) string {
	value := conf.Get(key)
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// Callable returns the address at which what listens on an endpoint can be called from here.
func Callable(endpoint string) string {
	host, port, err := net.SplitHostPort(endpoint)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// Telemetry returns where the collector serves its own metrics.
func Telemetry(conf *confmap.Conf) string {
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
	return Callable(net.JoinHostPort(host, port))
}
