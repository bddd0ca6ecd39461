// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// keep stores an envelope's items.
func (s *Sentry) keep(project string, env *envelope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Envelopes++
	for _, item := range env.items {
		if s.watch != nil {
			s.watch(item.payload)
		}
		switch item.Type {
		case "event", "transaction":
			s.keepEvent(project, env.EventID, item)
		case "log":
			s.keepLogs(project, item)
		case "client_report":
			s.keepReport(item)
		}
	}
}

// keepEvent stores an event or a transaction. The caller holds mu, as for all functions below.
func (s *Sentry) keepEvent(project, id string, item envelopeItem) {
	key := eventKey{project, id}
	if known := s.byID[key]; known != nil {
		known.Received++
		s.counts.Repeated++
		return
	}
	ev := &SentryEvent{Project: project, ID: id, Type: item.Type, Received: 1, Payload: slices.Clone(item.payload)}
	s.byID[key] = ev
	s.order = append(s.order, ev)
	if item.Type == "event" {
		s.counts.Events++
		s.noteInvalid("event "+id, checkEvent(id, item.payload))
		return
	}
	s.counts.Transactions++
	spans, err := checkTransaction(id, item.payload)
	s.counts.Spans += spans
	s.noteInvalid("transaction "+id, err)
}

func (s *Sentry) keepLogs(project string, item envelopeItem) {
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	err := json.Unmarshal(item.payload, &list)
	if err == nil && len(list.Items) != *item.ItemCount {
		err = fmt.Errorf("item_count %d, but %d items", *item.ItemCount, len(list.Items))
	}
	if err != nil {
		s.noteInvalid("log item", err) // Relay drops the whole item
		return
	}
	for _, entry := range list.Items {
		if err := checkLog(entry); err != nil {
			s.noteInvalid("log", err)
			continue
		}
		s.counts.Logs++
		s.logs = append(s.logs, SentryLog{Project: project, Payload: slices.Clone(entry)})
	}
}

func (s *Sentry) keepReport(item envelopeItem) {
	var report struct {
		Discarded []struct {
			Discard
			Quantity int `json:"quantity"`
		} `json:"discarded_events"`
	}
	if err := json.Unmarshal(item.payload, &report); err != nil {
		s.noteInvalid("client report", err)
		return
	}
	s.counts.Reports++
	for _, d := range report.Discarded {
		s.reports[d.Discard] += d.Quantity
	}
}

func (s *Sentry) noteRefusal(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Refused++
	s.problems = append(s.problems, "refused: "+err.Error())
}

func (s *Sentry) noteInvalid(what string, err error) {
	if err != nil {
		s.counts.Invalid++
		s.problems = append(s.problems, what+": "+err.Error())
	}
}

// Counts returns the counts so far.
func (s *Sentry) Counts() SentryCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Events returns the error events in order of arrival.
func (s *Sentry) Events() []SentryEvent {
	return s.ofType("event")
}

// Transactions returns the transactions in order of arrival.
func (s *Sentry) Transactions() []SentryEvent {
	return s.ofType("transaction")
}

func (s *Sentry) ofType(kind string) []SentryEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []SentryEvent
	for _, ev := range s.order {
		if ev.Type == kind {
			out = append(out, *ev)
		}
	}
	return out
}

// Logs returns the logs in order of arrival.
func (s *Sentry) Logs() []SentryLog {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.logs)
}

// Discarded returns the counts of client reports.
func (s *Sentry) Discarded() map[Discard]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.reports)
}

// Problems returns the reason of each rejection, and of each item that Relay would drop or change after its 200.
func (s *Sentry) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}
