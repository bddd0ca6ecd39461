// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// proxy is between the collector and a real node, and injects the faults that the node can't be made to show: those
// of networks, load balancers and gateways. For a secure node it has the node's certificate.
type proxy struct {
	URL string

	node   *url.URL
	client *http.Client
	tls    *tls.Config // nil without TLS

	mu         sync.Mutex
	server     *http.Server // guarded by mu, like all fields below; nil while connections are refused
	armed      []fault      // faults for the next bulk requests
	handshakes int          // number of the next TLS handshakes that fail
	waiting    sync.WaitGroup
}

// fault responds to a bulk request instead of the node, or after it.
type fault func(p *proxy, w http.ResponseWriter, r *http.Request, body []byte)

func startProxy(t *testing.T, node *servers.OpenSearch) *proxy {
	t.Helper()
	address, err := url.Parse(node.URL)
	require.NoError(t, err)
	p := &proxy{node: address, client: &http.Client{Transport: &http.Transport{}}}
	if node.CAFile != "" {
		p.tls, err = p.certificates(node.CAFile)
		require.NoError(t, err)
	}
	require.NoError(t, p.listen("127.0.0.1:0"))
	t.Cleanup(p.refuse)
	return p
}

func (p *proxy) certificates(caFile string) (*tls.Config, error) {
	dir := filepath.Dir(caFile)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "node.pem"), filepath.Join(dir, "node.key"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	p.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.handshakes > 0 {
				p.handshakes--
				return nil, errors.New("no certificate today")
			}
			return nil, nil
		},
	}, nil
}

func (p *proxy) listen(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	address = listener.Addr().String()
	p.URL = "http://" + address
	if p.tls != nil {
		p.URL = "https://" + address
		listener = tls.NewListener(listener, p.tls)
	}
	server := &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	p.mu.Lock()
	p.server = server
	p.mu.Unlock()
	p.waiting.Go(func() { _ = server.Serve(listener) })
	return nil
}

// refuse lets connections be refused until accept is called. Open connections are closed.
func (p *proxy) refuse() {
	p.mu.Lock()
	server := p.server
	p.server = nil
	p.mu.Unlock()
	if server != nil {
		_ = server.Close()
		p.waiting.Wait()
	}
}

func (p *proxy) accept(t *testing.T) {
	t.Helper()
	address := strings.TrimPrefix(strings.TrimPrefix(p.URL, "https://"), "http://")
	wait.For(t, "the port to be free again", func(context.Context) error { return p.listen(address) })
}

// arm injects a fault into the next n bulk requests.
func (p *proxy) arm(f fault, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		p.armed = append(p.armed, f)
	}
}

// breakHandshakes makes the next n TLS handshakes fail, and closes open connections so that there are new ones.
func (p *proxy) breakHandshakes(t *testing.T, n int) {
	t.Helper()
	p.refuse()
	p.mu.Lock()
	p.handshakes = n
	p.mu.Unlock()
	p.accept(t)
}

// shown waits until every fault has happened.
func (p *proxy) shown(t *testing.T) {
	t.Helper()
	wait.For(t, "all faults to be shown", func(context.Context) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.armed) > 0 || p.handshakes > 0 {
			return fmt.Errorf("%d answers and %d handshakes are left", len(p.armed), p.handshakes)
		}
		return nil
	})
}

func (p *proxy) next() fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.armed) == 0 {
		return pass
	}
	f := p.armed[0]
	p.armed = p.armed[1:]
	return f
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/_bulk") {
		pass(p, w, r, body)
		return
	}
	p.next()(p, w, r, body)
}

// forward sends the request to the node. A node that can't be reached looks the same as without the proxy.
func (p *proxy) forward(r *http.Request, body []byte) (*http.Response, []byte) {
	req := r.Clone(r.Context())
	req.RequestURI = ""
	req.Header.Del("Accept-Encoding") // so that the response can be read here
	req.URL.Scheme, req.URL.Host = p.node.Scheme, p.node.Host
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := p.client.Do(req) //nolint:gosec // to the node only
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return resp, answer
}

func pass(p *proxy, w http.ResponseWriter, r *http.Request, body []byte) {
	resp, answer := p.forward(r, body)
	w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer) //nolint:gosec // of the node
}

// reset cuts the connection before the node sees the request.
func reset(*proxy, http.ResponseWriter, *http.Request, []byte) {
	panic(http.ErrAbortHandler)
}

// dieBeforeAnswer lets the node accept the documents, and closes the connection before the response.
func dieBeforeAnswer(p *proxy, _ http.ResponseWriter, r *http.Request, body []byte) {
	p.forward(r, body)
	panic(http.ErrAbortHandler)
}

// dieInAnswer lets the node accept the documents, and closes the connection in the middle of the response.
func dieInAnswer(p *proxy, w http.ResponseWriter, r *http.Request, body []byte) {
	_, answer := p.forward(r, body)
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer[:len(answer)/2]) //nolint:gosec // of the node
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// hang does not respond until the client has closed the connection.
func hang(_ *proxy, _ http.ResponseWriter, r *http.Request, _ []byte) {
	<-r.Context().Done()
}

// status responds instead of the node.
func status(code int, body string, headers ...string) fault {
	return func(_ *proxy, w http.ResponseWriter, _ *http.Request, _ []byte) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// mixed forwards every second document to the node, and returns a temporary error for the others.
func mixed(p *proxy, w http.ResponseWriter, r *http.Request, body []byte) {
	lines := bytes.SplitAfter(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	var taken []byte
	for i := 0; i+1 < len(lines); i += 4 {
		taken = append(append(append(taken, bytes.TrimSpace(lines[i])...), '\n'), bytes.TrimSpace(lines[i+1])...)
		taken = append(taken, '\n')
	}
	resp, raw := p.forward(r, taken)
	var answer struct {
		Took   int               `json:"took"`
		Errors bool              `json:"errors"`
		Items  []json.RawMessage `json:"items"`
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(raw, &answer) != nil {
		panic(http.ErrAbortHandler)
	}
	var items []json.RawMessage
	for i := range len(lines) / 2 {
		if i%2 == 0 {
			items = append(items, answer.Items[i/2])
		} else {
			items = append(items, json.RawMessage(`{"create":{"_index":"x","_id":"x","status":429,"error":{"type":"rejected_execution_exception","reason":"the queue is full"}}}`))
		}
	}
	answer.Items, answer.Errors = items, len(items) > 1
	merged, err := json.Marshal(answer)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(merged)
}
