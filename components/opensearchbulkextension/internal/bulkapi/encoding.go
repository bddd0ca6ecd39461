// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/config/configcompression"
)

// Content encodings that can be read and written, in addition to none.
const (
	EncodingGzip     = "gzip"
	EncodingZstd     = "zstd"
	EncodingIdentity = "identity"
)

// SupportedCompression reports whether a client's `compression` is one that the middleware can read.
func SupportedCompression(compression configcompression.Type) bool {
	return !compression.IsCompressed() ||
		compression == configcompression.TypeGzip || compression == configcompression.TypeZstd
}

// Decode reads a request's body.
func Decode(encoding string, body io.Reader) ([]byte, error) {
	switch encoding {
	case "", EncodingIdentity:
		return io.ReadAll(body)
	case EncodingGzip:
		reader, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		defer reader.Close()
		return io.ReadAll(reader)
	case EncodingZstd:
		reader, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer reader.Close()
		return io.ReadAll(reader)
	default:
		return nil, fmt.Errorf("opensearch_bulk: the content encoding %q is not supported: set the exporter's "+
			"`http::compression` to `gzip`, `zstd` or `none`", encoding)
	}
}

// Encode compresses a body as the exporter had compressed it.
func Encode(encoding string, body []byte) ([]byte, error) {
	var buffer bytes.Buffer
	var writer io.WriteCloser
	switch encoding {
	case EncodingGzip:
		writer = gzip.NewWriter(&buffer)
	case EncodingZstd:
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
