// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package otlpguardextension bounds what a client can make the stock OTLP receiver allocate. As a server middleware it
// examines each request before it is decoded: what a single request may contain, and what all requests that are being
// received and decoded may occupy together. A request that is too large is rejected, one that has to wait is answered
// such that Dify's SDK sends it again.
package otlpguardextension
