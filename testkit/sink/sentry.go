// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync"
)

// SentryKey is the public key in SentryDSN. Any other key of the same form is accepted, too.
const SentryKey = "d1f7000000000000000000000000d1f7"

// SentryDSN returns the DSN of project 1 of a Sentry that is served at url.
func SentryDSN(url string) string {
	return strings.Replace(url, "://", "://"+SentryKey+"@", 1) + "/1"
}

var projectNumber = regexp.MustCompile(`^[1-9]\d*$`)

// Sentry is a test double of Sentry's Relay. It rejects what Relay rejects (framing, sizes, two events in one envelope,
// authorization), and records what Relay accepts and drops later.
type Sentry struct {
	mux *http.ServeMux

	// mu guards the fields below.
	mu       sync.Mutex
	order    []*SentryEvent // events and transactions in order of arrival
	byID     map[eventKey]*SentryEvent
	logs     []SentryLog
	reports  map[Discard]int
	counts   SentryCounts
	problems []string
	fail     int
	watch    func(payload []byte)
}

type eventKey struct{ project, id string }

// SentryCounts counts what was sent to a Sentry.
type SentryCounts struct {
	Envelopes    int // accepted
	Events       int // different events
	Transactions int // different transactions
	Spans        int // within transactions, without the root
	Repeated     int // events and transactions with a known id
	Logs         int
	Reports      int // client reports
	Refused      int // envelopes that were rejected because of their content
	Invalid      int // items accepted with 200 that Relay would drop or change later
	Failed       int // requests that SetFailing refused
}

// SentryEvent is an event or a transaction.
type SentryEvent struct {
	Project  string
	ID       string
	Type     string // event or transaction
	Received int    // how often its id was received
	Payload  json.RawMessage
}

// SentryLog is one log of a log item.
type SentryLog struct {
	Project string
	Payload json.RawMessage
}

// Discard is the key of the counts in a client report.
type Discard struct {
	Reason   string `json:"reason"`
	Category string `json:"category"`
}

// NewSentry returns an empty Sentry.
func NewSentry() *Sentry {
	s := &Sentry{
		mux:     http.NewServeMux(),
		byID:    map[eventKey]*SentryEvent{},
		reports: map[Discard]int{},
	}
	s.mux.HandleFunc("POST /api/{project}/envelope/", s.envelope)
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.HandleFunc("GET /events", s.list)
	s.mux.HandleFunc("GET /events/{id}", s.event)
	return s
}

// ServeHTTP responds as Relay does.
func (s *Sentry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := s.failing(r); status != 0 {
		writeRefusal(w, status, "configured to fail")
		return
	}
	s.mux.ServeHTTP(w, r)
}

// OnItem registers f, which is called with the payload of each accepted item before the response. Call it before the
// first request. f must not call the Sentry.
func (s *Sentry) OnItem(f func(payload []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = f
}

// SetFailing makes every envelope return status, without effect. 0 ends it.
func (s *Sentry) SetFailing(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = status
}

func (s *Sentry) failing(r *http.Request) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method != http.MethodPost {
		return 0
	}
	if s.fail != 0 {
		s.counts.Failed++
	}
	return s.fail
}

func (s *Sentry) envelope(w http.ResponseWriter, r *http.Request) {
	env, err := readEnvelope(r)
	if err != nil {
		status := http.StatusBadRequest
		if ref := (*refusal)(nil); errors.As(err, &ref) {
			status = ref.status
		}
		s.noteRefusal(err)
		writeRefusal(w, status, err.Error())
		return
	}
	s.keep(r.PathValue("project"), env)
	answer := map[string]string{}
	if env.EventID != "" {
		answer["id"] = env.EventID
	}
	writeJSON(w, http.StatusOK, answer)
}

func readEnvelope(r *http.Request) (*envelope, error) {
	if !projectNumber.MatchString(r.PathValue("project")) {
		return nil, bad("invalid project path parameter")
	}
	if err := checkAuth(r); err != nil {
		return nil, err
	}
	body, err := readBody(r)
	if errors.Is(err, errTooLarge) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "%v", err)
	}
	if err != nil {
		return nil, err
	}
	env, err := parseEnvelope(body)
	if err != nil {
		return nil, err
	}
	if err := env.check(); err != nil {
		return nil, err
	}
	return env, nil
}

func writeRefusal(w http.ResponseWriter, status int, reason string) {
	writeJSON(w, status, map[string]any{"detail": reason, "causes": []string{}})
}
