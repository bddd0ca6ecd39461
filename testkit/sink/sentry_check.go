// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Relay checks the following after it has returned 200: it drops a transaction, or removes a field from an event,
// without reporting it.

var (
	hex16  = regexp.MustCompile(`^[0-9a-f]{16}$`)
	tagKey = regexp.MustCompile(`^[a-zA-Z0-9_.:-]{1,200}$`)
)

var levels = map[string]bool{"": true, "debug": true, "info": true, "warning": true, "error": true, "fatal": true}

var logLevels = map[string]bool{"trace": true, "debug": true, "info": true, "warn": true, "error": true, "fatal": true}

type eventBody struct {
	EventID     string          `json:"event_id"`
	Timestamp   json.RawMessage `json:"timestamp"`
	Start       json.RawMessage `json:"start_timestamp"`
	Level       string          `json:"level"`
	Environment *string         `json:"environment"`
	Release     *string         `json:"release"`
	Tags        json.RawMessage `json:"tags"`
	Exception   json.RawMessage `json:"exception"`
	Logentry    json.RawMessage `json:"logentry"`
	Message     json.RawMessage `json:"message"`
	Contexts    struct {
		Trace *spanBody `json:"trace"`
	} `json:"contexts"`
	Spans []*spanBody `json:"spans"`
}

type spanBody struct {
	TraceID string          `json:"trace_id"`
	SpanID  string          `json:"span_id"`
	Start   json.RawMessage `json:"start_timestamp"`
	End     json.RawMessage `json:"timestamp"`
}

func checkEvent(id string, payload []byte) error {
	var ev eventBody
	if err := json.Unmarshal(payload, &ev); err != nil {
		return err
	}
	_, timeErr := timestamp(ev.Timestamp)
	return errors.Join(checkCommon(id, &ev), timeErr, checkSubject(&ev))
}

// checkSubject requires something that distinguishes one issue from another.
func checkSubject(ev *eventBody) error {
	if len(ev.Exception) == 0 {
		if len(ev.Logentry) == 0 && len(ev.Message) == 0 {
			return errors.New("neither an exception nor a message")
		}
		return nil
	}
	type exception struct{ Type, Value string }
	var values []exception
	if err := json.Unmarshal(ev.Exception, &values); err != nil {
		var wrapped struct{ Values []exception }
		if err := json.Unmarshal(ev.Exception, &wrapped); err != nil {
			return fmt.Errorf("exception: %w", err)
		}
		values = wrapped.Values
	}
	if len(values) == 0 {
		return errors.New("exception without values")
	}
	for i, e := range values {
		if e.Type == "" && e.Value == "" {
			return fmt.Errorf("exception %d has neither type nor value", i)
		}
	}
	return nil
}

// checkCommon checks the fields that Relay removes with an error.
func checkCommon(id string, ev *eventBody) error {
	var errs []error
	if ev.EventID != "" && strings.ReplaceAll(ev.EventID, "-", "") != id {
		errs = append(errs, errors.New("event_id differs from the envelope's"))
	}
	if !levels[ev.Level] {
		errs = append(errs, fmt.Errorf("level %q", ev.Level))
	}
	if ev.Environment != nil && (badName(*ev.Environment, 64) || strings.EqualFold(*ev.Environment, "none")) {
		errs = append(errs, fmt.Errorf("environment %q", *ev.Environment))
	}
	if ev.Release != nil &&
		(badName(*ev.Release, 200) || *ev.Release == "." || *ev.Release == ".." || *ev.Release == "latest") {
		errs = append(errs, fmt.Errorf("release %q", *ev.Release))
	}
	return errors.Join(append(errs, checkTags(ev.Tags), checkTrace(ev.Contexts.Trace))...)
}

func badName(s string, limit int) bool {
	return strings.TrimSpace(s) == "" || utf8.RuneCountInString(s) > limit || strings.ContainsAny(s, "/\\\t\r\n")
}

func checkTags(raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	var tags map[string]any
	if err := json.Unmarshal(raw, &tags); err != nil {
		return fmt.Errorf("tags: %w", err)
	}
	for key, value := range tags {
		text, isText := value.(string)
		if !tagKey.MatchString(key) || value == nil || (isText && (text == "" || strings.Contains(text, "\n"))) {
			return fmt.Errorf("tag %q", key)
		}
	}
	return nil
}

func checkTrace(t *spanBody) error {
	if t == nil {
		return nil
	}
	if !validID(hex32, t.TraceID) || !validID(hex16, t.SpanID) {
		return errors.New("contexts.trace without valid trace_id and span_id")
	}
	return nil
}

func validID(form *regexp.Regexp, id string) bool {
	return form.MatchString(id) && strings.Trim(id, "0") != ""
}

// checkTransaction returns the number of spans without the root.
func checkTransaction(id string, payload []byte) (spans int, err error) {
	var tx eventBody
	if err := json.Unmarshal(payload, &tx); err != nil {
		return 0, err
	}
	if tx.Contexts.Trace == nil {
		return len(tx.Spans), errors.New("transaction without contexts.trace")
	}
	errs := []error{checkCommon(id, &tx), checkTimes(tx.Start, tx.Timestamp)}
	for i, span := range tx.Spans {
		if span == nil || !validID(hex16, span.SpanID) || !validID(hex32, span.TraceID) {
			errs = append(errs, fmt.Errorf("span %d without valid ids", i))
			continue
		}
		if err := checkTimes(span.Start, span.End); err != nil {
			errs = append(errs, fmt.Errorf("span %d: %w", i, err))
		}
	}
	return len(tx.Spans), errors.Join(errs...)
}

func checkTimes(start, end json.RawMessage) error {
	from, err := timestamp(start)
	if err != nil {
		return err
	}
	to, err := timestamp(end)
	if err != nil {
		return err
	}
	if to.Before(from) {
		return errors.New("end before start")
	}
	return nil
}

// timestamp reads Unix seconds or RFC 3339. A number as text, milliseconds and nanoseconds are errors.
func timestamp(raw json.RawMessage) (time.Time, error) {
	var seconds float64
	if json.Unmarshal(raw, &seconds) == nil {
		if seconds <= 0 || seconds > 1e11 {
			return time.Time{}, fmt.Errorf("timestamp %v is not in seconds", seconds)
		}
		return time.UnixMicro(int64(seconds * 1e6)), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return time.Time{}, errors.New("no timestamp")
	}
	return time.Parse(time.RFC3339Nano, text)
}

func checkLog(raw []byte) error {
	var log struct {
		Timestamp *float64 `json:"timestamp"`
		TraceID   string   `json:"trace_id"`
		Level     string   `json:"level"`
		Body      *string  `json:"body"`
	}
	if err := json.Unmarshal(raw, &log); err != nil {
		return err
	}
	switch {
	case log.Timestamp == nil:
		return errors.New("no timestamp")
	case !hex32.MatchString(log.TraceID):
		return errors.New("no valid trace_id")
	case !logLevels[log.Level]:
		return fmt.Errorf("level %q", log.Level)
	case log.Body == nil:
		return errors.New("no body")
	}
	return nil
}
