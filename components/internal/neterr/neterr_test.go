// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package neterr

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var server = Server{
	Name: "OpenSearch", Address: "http://opensearch:9200", Setting: "`http::endpoint` (OTELCOL_OPENSEARCH_URL)",
	Plain: "http://", Secure: "https://", Trust: "OTELCOL_OPENSEARCH_CA_FILE", UnknownHost: "its name has changed",
}

// get returns the error of the real client.
func get(t *testing.T, url string) error {
	t.Helper()
	return getWithin(t, url, time.Minute)
}

func getWithin(t *testing.T, url string, timeout time.Duration) error {
	t.Helper()
	client := &http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url) //nolint:noctx // the client has a timeout
	if err == nil {
		require.NoError(t, response.Body.Close())
	}
	require.Error(t, err)
	return err
}

func TestExplain(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = nil
	defer secure.Close()
	closing, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer closing.Close()
	go func() {
		for {
			c, acceptErr := closing.Accept()
			if acceptErr != nil {
				return
			}
			_ = c.Close()
		}
	}()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()

	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"unknown host":             {get(t, "http://opensearch.invalid:9200"), "this host name is unknown here"},
		"the name of the old file": {get(t, "http://opensearch.invalid:9200"), "; its name has changed"},
		"nothing there":            {get(t, "http://127.0.0.1:1"), "nothing listens there; check the host and the port"},
		"https to a plain server": {
			get(t, strings.Replace(plain.URL, "http:", "https:", 1)), "the server does not use TLS; use http://",
		},
		"another port":          {get(t, "http://"+closing.Addr().String()), "the connection was closed; if the server uses TLS, use https://"},
		"a private certificate": {get(t, secure.URL), "set OTELCOL_OPENSEARCH_CA_FILE to its certificate authority"},
		"no response": {
			getWithin(t, "http://"+silent.Addr().String(), 50*time.Millisecond), "no response; check the address",
		},
	} {
		t.Run(name, func(t *testing.T) {
			explained := server.Explain(tt.err)
			require.ErrorContains(t, explained, tt.want)
			require.ErrorContains(t, explained,
				"OpenSearch at http://opensearch:9200, from `http::endpoint` (OTELCOL_OPENSEARCH_URL): ")
			require.ErrorIs(t, explained, tt.err)
		})
	}
	// Which of these a server that closes at once causes depends on who is faster.
	for _, text := range []string{
		"EOF", "read: connection reset by peer", "write: broken pipe", "http: server closed idle connection",
	} {
		assert.Contains(t, server.Hint(errors.New(text)), "the connection was closed", text)
	}
	other := errors.New("status 403")
	assert.Equal(t, other, server.Explain(other))
	require.ErrorIs(t, server.Explain(io.EOF), io.EOF)
}
