// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/config/configcompression"
)

// Content encodings that can be read and written, besides none.
const (
	encodingGzip     = "gzip"
	encodingZstd     = "zstd"
	encodingIdentity = "identity"
)

// understoodCompression reports whether a client's `compression` is one that the middleware can read.
func understoodCompression(compression configcompression.Type) bool {
	return !compression.IsCompressed() || compression == configcompression.TypeGzip || compression == configcompression.TypeZstd
}

// decode reads a request's body.
func decode(encoding string, body io.Reader) ([]byte, error) {
	switch encoding {
	case "", encodingIdentity:
		return io.ReadAll(body)
	case encodingGzip:
		reader, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		defer reader.Close()
		return io.ReadAll(reader)
	case encodingZstd:
		reader, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer reader.Close()
		return io.ReadAll(reader)
	default:
		return nil, fmt.Errorf("opensearch_bulk: the content encoding %q is not understood: set the exporter's `http::compression` to `gzip`, `zstd` or `none`", encoding)
	}
}

// encode compresses a body as the exporter had compressed it.
func encode(encoding string, body []byte) ([]byte, error) {
	var buffer bytes.Buffer
	var writer io.WriteCloser
	switch encoding {
	case encodingGzip:
		writer = gzip.NewWriter(&buffer)
	case encodingZstd:
		encoder, err := zstd.NewWriter(&buffer, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		writer = encoder
	default:
		return body, nil
	}
	if _, err := writer.Write(body); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}
