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

// SentryKey is the public key that SentryDSN uses. Any other of its form is taken as well.
const SentryKey = "d1f7000000000000000000000000d1f7"

// SentryDSN is the DSN of project 1 of a Sentry that is served at url.
func SentryDSN(url string) string {
	return strings.Replace(url, "://", "://"+SentryKey+"@", 1) + "/1"
}

var projectNumber = regexp.MustCompile(`^[1-9]\d*$`)

// Sentry is a stand-in for Sentry's Relay: it refuses what Relay refuses (framing, sizes, two events in one envelope,
// authorization) and notes what Relay takes and drops later.
type Sentry struct {
	mux *http.ServeMux

	// mu guards what follows.
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

// SentryCounts says what a Sentry was sent.
type SentryCounts struct {
	Envelopes    int // taken
	Events       int // different events
	Transactions int // different transactions
	Spans        int // within transactions, the root not counted
	Repeated     int // events and transactions with an id that was there already
	Logs         int
	Reports      int // client reports
	Refused      int // envelopes answered other than 200 because of their content
	Invalid      int // items taken with 200 that Relay would drop or mend later
	Failed       int // requests that SetFailing refused
}

// SentryEvent is an event or a transaction.
type SentryEvent struct {
	Project  string
	ID       string
	Type     string // event or transaction
	Received int    // times that its id came
	Payload  json.RawMessage
}

// SentryLog is one log of a log item.
type SentryLog struct {
	Project string
	Payload json.RawMessage
}

// Discard is what a client report counts by.
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

// ServeHTTP answers as Relay does.
func (s *Sentry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := s.failing(r); status != 0 {
		writeRefusal(w, status, "told to fail")
		return
	}
	s.mux.ServeHTTP(w, r)
}

// OnItem has f called with the payload of each item that is taken, before the answer. Set it before the first request; f
// must not call the Sentry.
func (s *Sentry) OnItem(f func(payload []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = f
}

// SetFailing makes every envelope be answered with status, without effect; 0 ends it.
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
