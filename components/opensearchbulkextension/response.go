// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// result is what OpenSearch decided about one document.
type result int

const (
	accepted   result = iota
	duplicate         // exists already under our id: an earlier attempt was accepted
	retryLater        // to be sent again
	rejected          // for good
)

// itemResult is OpenSearch's answer for one document.
type itemResult struct {
	result result
	status int
	kind   string // the error's type, as `mapper_parsing_exception`
	reason string // may quote the document: for the dead letter only, never for a log
}

type responseItem struct {
	Status int            `json:"status"`
	Error  *responseError `json:"error"`
}

type responseError struct {
	Type     string         `json:"type"`
	Reason   string         `json:"reason"`
	CausedBy *responseError `json:"caused_by"`
}

func (e *responseError) text() string {
	parts := []string{e.Reason}
	for cause := e.CausedBy; cause != nil; cause = cause.CausedBy {
		parts = append(parts, "caused by "+cause.Type+": "+cause.Reason)
	}
	return strings.Join(parts, "; ")
}

var errNotBulkResponse = errors.New("the answer is not one to this bulk request")

// responseFilter asks for only that of an answer which readResponse and readError read: OpenSearch has less to write then, and we
// less to read.
const responseFilter = "errors,error,status,items.*.status,items.*.error"

// withoutErrors reports whether an answer says that it has a result for each of n items, and that none is an error. Nearly
// every answer is such a one, and need not be decoded.
func withoutErrors(body []byte, n int) bool {
	var s scanner
	if !s.scan(body, []string{"errors", "items"}) || string(body[s.found[0].start:s.found[0].end]) != "false" {
		return false
	}
	count, ok := s.count(s.found[1])
	return ok && count == n
}

// readResponse takes the body of a successful answer apart: one result for each item.
func readResponse(body []byte, items []item) ([]itemResult, error) {
	if withoutErrors(body, len(items)) {
		return make([]itemResult, len(items)), nil // all are accepted
	}
	var answer struct {
		Items []map[string]responseItem `json:"items"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Items) != len(items) {
		return nil, errNotBulkResponse // the parser's error may quote a document
	}
	results := make([]itemResult, len(items))
	for i, sent := range items {
		if len(answer.Items[i]) != 1 {
			return nil, errNotBulkResponse
		}
		for _, got := range answer.Items[i] {
			results[i] = judge(got, sent)
		}
	}
	return results, nil
}

func judge(got responseItem, sent item) itemResult {
	result := itemResult{status: got.Status}
	if got.Error != nil {
		result.kind, result.reason = got.Error.Type, got.Error.text()
	}
	switch {
	case got.Status >= http.StatusOK && got.Status < http.StatusMultipleChoices && got.Error == nil:
		result.result = accepted
	case got.Status == http.StatusConflict && sent.create:
		result.result = duplicate
	case sent.dead && got.Status == http.StatusForbidden:
		result.result = rejected // one document at fault must not hold up all others until the dead-letter index is open again
	case temporary(got.Status, result.kind):
		result.result = retryLater
	default:
		result.result = rejected
	}
	return result
}

// temporary tells what an operator or time can mend from what is wrong with the document itself.
func temporary(status int, kind string) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true // 403 is a block on the cluster or index (a full disk, a snapshot restored) or a role that lacks the index
	case http.StatusNotFound:
		return kind == "index_not_found_exception" // the cluster does not create indices by itself
	case http.StatusBadRequest:
		return kind == "validation_exception" // no room for another index's shards
	default:
		return status >= http.StatusInternalServerError || status < http.StatusOK
	}
}

// readError is the type and reason in the body of an answer that is an error, if it is OpenSearch's own.
func readError(body []byte) (responseError, bool) {
	var answer struct {
		Error responseError `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error.Type == "" {
		return responseError{}, false
	}
	return answer.Error, true
}

// success is the answer that the exporter gets: every document was created. Its client reads only status and error of each item.
func success(req *http.Request, items int) *http.Response {
	const start, each, end = `{"took":0,"errors":false,"items":[`, `{"create":{"status":201}},`, "]}"
	body := make([]byte, 0, len(start)+items*len(each)+len(end))
	body = append(body, start...)
	for range items {
		body = append(body, each...)
	}
	body = append(bytes.TrimSuffix(body, []byte(",")), end...)
	return &http.Response{
		Status:        "200 OK",
		StatusCode:    http.StatusOK,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{"Content-Type": []string{"application/json; charset=UTF-8"}},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}
}

// retryAfter reads the header in both of its forms, seconds and a date; 0 if there is none.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
