// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// fluentBit accepts OTLP logs and returns 201 as Fluent Bit's input does, and keeps what its outputs would see: the
// bodies.
type fluentBit struct {
	*httptest.Server

	mu      sync.Mutex
	away    bool // guarded by mu, as below
	refused int
	bodies  []map[string]any
}

func newFluentBit(t *testing.T) *fluentBit {
	t.Helper()
	f := &fluentBit{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/logs", func(w http.ResponseWriter, req *http.Request) {
		status, err := f.take(req)
		if !assert.NoError(t, err) {
			status = http.StatusBadRequest
		}
		w.WriteHeader(status)
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fluentBit) take(req *http.Request) (int, error) {
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(req.Body)
		if err != nil {
			return 0, err
		}
		body = unzipped
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return 0, err
	}
	request := plogotlp.NewExportRequest()
	if err := request.UnmarshalProto(text); err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		f.refused++
		return http.StatusServiceUnavailable, nil
	}
	for _, resource := range request.Logs().ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				if record.Body().Type() != pcommon.ValueTypeMap {
					return 0, errors.New("a body is no map: " + record.Body().Type().String())
				}
				f.bodies = append(f.bodies, record.Body().Map().AsRaw())
			}
		}
	}
	return http.StatusCreated, nil
}

func (f *fluentBit) setAway(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

// documents returns what its output would write: one document per uid.
func (f *fluentBit) documents() map[string]map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	documents := map[string]map[string]any{}
	for _, body := range f.bodies {
		uid, _ := body["uid"].(string)
		documents[uid] = body
	}
	return documents
}

func (f *fluentBit) expect(t *testing.T, want int) map[string]map[string]any {
	t.Helper()
	wait.For(t, "runs at Fluent Bit", func(context.Context) error {
		if got := len(f.documents()); got != want {
			return fmt.Errorf("%d runs, expected %d", got, want)
		}
		return nil
	})
	return f.documents()
}

// The workflow log is sent to Fluent Bit in the shape of the documents in workflow-logs-*, through an outage and a
// restart.
func TestFluentOverlay(t *testing.T) {
	r, fluent := &rig{}, newFluentBit(t)
	env := r.startDify(t)
	env["OTELCOL_OPENSEARCH_URL"] = "http://127.0.0.1:1" // for spans; there are none
	env["OTELCOL_FLUENT_URL"] = fluent.URL
	c := collector.Start(t, collector.Options{
		Configs: []string{collector.ShippedConfig(), repo.Path("config", "overlays", "fluent.yaml")}, Env: env,
	})
	r.container = &container{telemetry: c.Telemetry}
	r.waitForTail(t)
	r.endRun(t)
	for uid, document := range fluent.expect(t, 1) {
		assert.NotEmpty(t, uid)
		_, err := time.Parse(time.RFC3339Nano, document["@timestamp"].(string))
		require.NoError(t, err)
		assert.NotEmpty(t, document["body"])
		attributes := document["attributes"].(map[string]any)
		assert.Equal(t, uid, attributes["log.record.uid"])
		assert.Equal(t, r.tenant, attributes["dify.tenant_id"])
		assert.Equal(t, "Info", document["severity"].(map[string]any)["text"])
		assert.NotEmpty(t, document["resource"])
	}

	fluent.setAway(true)
	r.endRun(t)
	wait.For(t, "an attempt during the outage", func(context.Context) error {
		fluent.mu.Lock()
		defer fluent.mu.Unlock()
		if fluent.refused == 0 {
			return errors.New("none")
		}
		return nil
	})
	c.Terminate(t)
	r.endRun(t)
	c.Restart(t)
	fluent.setAway(false)
	fluent.expect(t, 3)
}
