// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/klauspost/compress/zstd"
)

// maxBody bounds a request's size after decompression, as Relay does.
const maxBody = 200 << 20

var errTooLarge = errors.New("request body too large")

// readBody reads and decompresses a request's body.
func readBody(r *http.Request) ([]byte, error) {
	plain, err := decompress(r.Header.Get("Content-Encoding"), r.Body)
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	body, err := io.ReadAll(io.LimitReader(plain, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if len(body) > maxBody {
		return nil, errTooLarge
	}
	return body, nil
}

func decompress(encoding string, body io.Reader) (io.ReadCloser, error) {
	switch encoding {
	case "", "identity":
		return io.NopCloser(body), nil
	case "gzip":
		return gzip.NewReader(body)
	case "deflate":
		return zlib.NewReader(body)
	case "zstd":
		d, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	default:
		return nil, fmt.Errorf("unknown Content-Encoding %q", encoding)
	}
}

// lines splits NDJSON. Every line must end with a newline, including the last one.
func lines(body []byte) ([][]byte, error) {
	if len(body) == 0 {
		return nil, errors.New("request body is required")
	}
	if body[len(body)-1] != '\n' {
		return nil, errors.New("the bulk request must be terminated by a newline [\\n]")
	}
	return bytes.Split(body[:len(body)-1], []byte{'\n'}), nil
}
