// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"cmp"
	"encoding/json"
	"html/template"
	"net/http"
)

// issueLine is what the lists show of an event.
type issueLine struct {
	ID       string `json:"event_id"`
	Type     string `json:"type"`
	Title    string `json:"title"`
	Received int    `json:"received"`
}

var sentryPage = template.Must(template.New("").Parse(`<!doctype html>
<title>Sentry stand-in</title>
<h1>Sentry stand-in</h1>
<p>{{.Counts.Events}} events, {{.Counts.Transactions}} transactions, {{.Counts.Logs}} logs,
{{.Counts.Refused}} envelopes refused.
All as JSON: <a href="/events">/events</a></p>
<table>
{{range .Events}}<tr><td><a href="/events/{{.ID}}">{{.ID}}</a></td><td>{{.Title}}</td></tr>
{{end}}</table>
{{range .Problems}}<p>{{.}}</p>
{{end}}`))

func (s *Sentry) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = sentryPage.Execute(w, map[string]any{
		"Counts": s.Counts(), "Events": titles(s.Events()), "Problems": s.Problems(),
	})
}

func (s *Sentry) list(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, append(titles(s.Events()), titles(s.Transactions())...))
}

// event shows an event or a transaction by its id, of any project.
func (s *Sentry) event(w http.ResponseWriter, r *http.Request) {
	for _, ev := range append(s.Events(), s.Transactions()...) {
		if ev.ID == r.PathValue("id") {
			writeJSON(w, http.StatusOK, ev.Payload)
			return
		}
	}
	writeRefusal(w, http.StatusNotFound, "no such event")
}

func titles(events []SentryEvent) []issueLine {
	out := []issueLine{}
	for _, ev := range events {
		out = append(out, issueLine{ID: ev.ID, Type: ev.Type, Title: ev.Title(), Received: ev.Received})
	}
	return out
}

// Title returns what Sentry would show: a transaction's name, the last exception's type and value, or the message.
func (e SentryEvent) Title() string {
	var body struct {
		Transaction string
		Message     string
		Logentry    struct{ Formatted, Message string }
	}
	_ = json.Unmarshal(e.Payload, &body) // unreadable fields stay empty
	if e.Type == "transaction" {
		return body.Transaction
	}
	for _, ex := range e.Exceptions() {
		body.Message = ex.Type + ": " + ex.Value // the last one is the one that was caught
	}
	return cmp.Or(body.Message, body.Logentry.Formatted, body.Logentry.Message)
}

// SentryException is one link of an event's chain of exceptions.
type SentryException struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Exceptions returns an event's exceptions, root cause first.
func (e SentryEvent) Exceptions() []SentryException {
	var wrapped struct {
		Exception struct{ Values []SentryException }
	}
	if json.Unmarshal(e.Payload, &wrapped) == nil {
		return wrapped.Exception.Values
	}
	var bare struct{ Exception []SentryException }
	_ = json.Unmarshal(e.Payload, &bare)
	return bare.Exception
}
