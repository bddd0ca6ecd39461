// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Result is what OpenSearch did with one document.
type Result int

// Results of one document.
const (
	Accepted   Result = iota
	Duplicate         // it exists already under our id: an earlier attempt was accepted
	RetryLater        // rejected for now: send it again
	Rejected          // permanently
)

// ItemResult is OpenSearch's response for one document.
type ItemResult struct {
	Result Result
	Status int
	// Type is the error's type, such as `mapper_parsing_exception`.
	Type string
	// Reason may quote the document. It belongs into the dead letter and never into a log.
	Reason string
}

type responseItem struct {
	Status int         `json:"status"`
	Error  *ErrorCause `json:"error"`
}

// ErrorCause is an error as OpenSearch writes it.
type ErrorCause struct {
	Type     string      `json:"type"`
	Reason   string      `json:"reason"`
	CausedBy *ErrorCause `json:"caused_by"`
}

// Text is the reason with those of all causes. It may quote a document.
func (e *ErrorCause) Text() string {
	parts := []string{e.Reason}
	for cause := e.CausedBy; cause != nil; cause = cause.CausedBy {
		parts = append(parts, "caused by "+cause.Type+": "+cause.Reason)
	}
	return strings.Join(parts, "; ")
}

var errNotBulkResponse = errors.New("the response is not one to this bulk request")

// ResponseFilter is a `filter_path` for what ReadResponse and ReadError need, so that OpenSearch has less to write.
const ResponseFilter = "errors,error,status,items.*.status,items.*.error"

// withoutErrors reports whether the response has a result for each of n items and none is an error. Nearly every
// response is like that and need not be decoded.
func withoutErrors(body []byte, n int) bool {
	var s scanner
	if !s.scan(body, []string{"errors", "items"}) || string(body[s.found[0].start:s.found[0].end]) != "false" {
		return false
	}
	count, ok := s.count(s.found[1])
	return ok && count == n
}

// ReadResponse reads the body of a successful response: one result for each item. It fails for a body that is not a
// bulk response for these items.
func ReadResponse(body []byte, items []Item) ([]ItemResult, error) {
	if withoutErrors(body, len(items)) {
		return make([]ItemResult, len(items)), nil // all are accepted
	}
	var response struct {
		Items []map[string]responseItem `json:"items"`
	}
	if json.Unmarshal(body, &response) != nil || len(response.Items) != len(items) {
		return nil, errNotBulkResponse // the parser's error may quote a document
	}
	results := make([]ItemResult, len(items))
	for i, sent := range items {
		if len(response.Items[i]) != 1 {
			return nil, errNotBulkResponse
		}
		for _, got := range response.Items[i] {
			results[i] = classify(got, sent)
		}
	}
	return results, nil
}

func classify(got responseItem, sent Item) ItemResult {
	result := ItemResult{Status: got.Status}
	if got.Error != nil {
		result.Type, result.Reason = got.Error.Type, got.Error.Text()
	}
	switch {
	case got.Status >= http.StatusOK && got.Status < http.StatusMultipleChoices && got.Error == nil:
		result.Result = Accepted
	case got.Status == http.StatusConflict && sent.Create:
		result.Result = Duplicate
	case sent.DeadLetter && got.Status == http.StatusForbidden:
		result.Result = Rejected // no retry: until the dead-letter index is open again, it would block all other documents
	case temporary(got.Status, result.Type):
		result.Result = RetryLater
	default:
		result.Result = Rejected
	}
	return result
}

// temporary reports whether an operator or time can fix the cause, as opposed to a document that is wrong by itself.
func temporary(status int, kind string) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true // 403: the cluster or index is blocked (a full disk, a restored snapshot), or the role lacks the index
	case http.StatusNotFound:
		return kind == "index_not_found_exception" // the cluster does not create indices automatically
	case http.StatusBadRequest:
		return kind == "validation_exception" // no room for another index's shards
	default:
		return status >= http.StatusInternalServerError || status < http.StatusOK
	}
}

// ReadError reads the body of an error response. It returns false if the error is not OpenSearch's own.
func ReadError(body []byte) (ErrorCause, bool) {
	var response struct {
		Error ErrorCause `json:"error"`
	}
	if json.Unmarshal(body, &response) != nil || response.Error.Type == "" {
		return ErrorCause{}, false
	}
	return response.Error, true
}

// SuccessResponse is a response by which every document was created. The exporter's client reads only status and
// error of each item.
func SuccessResponse(req *http.Request, items int) *http.Response {
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
