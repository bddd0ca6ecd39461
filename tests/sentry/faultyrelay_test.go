// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentry

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
)

// fault is what happens to an envelope on its way to the strict test double of Relay, or to the response.
type fault int

const (
	none        fault = iota
	serverError       // 5xx
	cutBefore         // the connection is closed before Relay has it
	cutAfter          // the connection is closed before the response
	limited           // 429 with X-Sentry-Rate-Limits, for the received category
	retryAfter        // 429 with Retry-After only: for all categories
	bare              // 429 alone: for all categories, for a minute according to Sentry
	tooLarge          // 413
)

// faultyRelay is a strict Relay with the faults of a schedule.
type faultyRelay struct {
	*sink.Sentry
	server *sink.Server

	mu sync.Mutex
	// The fields below are guarded by mu.
	schedule func(kind, payload string) fault
	away     bool
	hanging  bool
	counts   map[fault]int
}

func newFaultyRelay(t *testing.T, schedule func(kind, payload string) fault) (r *faultyRelay, dsn string) {
	t.Helper()
	r = &faultyRelay{Sentry: sink.NewSentry(), schedule: schedule, counts: map[fault]int{}}
	var err error
	r.server, err = sink.Listen(t.Context(), "127.0.0.1:0", r)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.server.Close(context.WithoutCancel(t.Context()))) })
	return r, sink.SentryDSN(r.server.URL())
}

// randomly selects faults with these weights per thousand; other requests are served.
func randomly(random *rand.Rand, weights map[fault]int) func(kind, payload string) fault {
	return func(string, string) fault {
		at := random.IntN(1000)
		for f := serverError; f <= tooLarge; f++ {
			if at -= weights[f]; at < 0 {
				return f
			}
		}
		return none
	}
}

// setAway closes every connection without a response.
func (r *faultyRelay) setAway(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

// setHanging lets every request wait for a response that never comes.
func (r *faultyRelay) setHanging(hanging bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hanging = hanging
}

func (r *faultyRelay) hangs() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hanging
}

// setSchedule replaces the faults.
func (r *faultyRelay) setSchedule(schedule func(kind, payload string) fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.schedule = schedule
}

// happened returns how often a fault has happened.
func (r *faultyRelay) happened(f fault) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[f]
}

func (r *faultyRelay) next(kind, payload string) (f fault, nth int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f = r.schedule(kind, payload)
	if kind == "client_report" { // their content is compared
		f = none
	}
	if r.away {
		return cutBefore, 0
	}
	r.counts[f]++
	return f, r.counts[f]
}

func (r *faultyRelay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	env, err := readEnvelope(req)
	if err != nil { // the collector died while it sent
		panic(http.ErrAbortHandler)
	}
	if r.hangs() {
		<-req.Context().Done()
		panic(http.ErrAbortHandler)
	}
	f, nth := r.next(env.kind, env.payload)
	switch f {
	case serverError:
		w.WriteHeader([]int{500, 502, 503, 504}[nth%4])
	case cutBefore:
		panic(http.ErrAbortHandler)
	case cutAfter:
		r.take(httptest.NewRecorder(), req, env.body)
		panic(http.ErrAbortHandler)
	case limited:
		category := env.kind
		if category == "event" {
			category = "error"
		}
		r.takeReport(req, env)
		w.Header().Set("X-Sentry-Rate-Limits", "0.2:"+category+":project:quota, 9:replay:project")
		w.WriteHeader(http.StatusTooManyRequests)
	case retryAfter:
		r.takeReport(req, env)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case bare:
		w.WriteHeader(http.StatusTooManyRequests)
	case tooLarge:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	default:
		r.take(w, req, env.body)
	}
}

func (r *faultyRelay) take(w http.ResponseWriter, req *http.Request, body []byte) {
	again := req.Clone(req.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	r.Sentry.ServeHTTP(w, again)
}

// takeReport accepts the rest of an envelope: a limit removes items of its category, but never a client report.
func (r *faultyRelay) takeReport(req *http.Request, env received) {
	if env.rest == "" {
		return
	}
	var zipped bytes.Buffer
	zw := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(zw, env.header+"\n"+env.rest)
	_ = zw.Close()
	r.take(httptest.NewRecorder(), req, zipped.Bytes())
}

// received is an envelope as received, with its first item parsed.
type received struct {
	body                        []byte
	header, kind, payload, rest string
}

func readEnvelope(req *http.Request) (env received, err error) {
	if env.body, err = io.ReadAll(req.Body); err != nil {
		return env, err
	}
	zr, err := gzip.NewReader(bytes.NewReader(env.body))
	if err != nil {
		return env, err
	}
	plain, err := io.ReadAll(zr)
	if err != nil {
		return env, err
	}
	lines := strings.SplitN(string(plain), "\n", 4) // payloads are lines of JSON
	if len(lines) < 4 {
		return env, errors.New("no envelope")
	}
	var header struct{ Type string }
	err = json.Unmarshal([]byte(lines[1]), &header)
	env.header, env.kind, env.payload, env.rest = lines[0], header.Type, lines[2], lines[3]
	return env, err
}
