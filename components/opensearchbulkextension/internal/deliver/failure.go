// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/backoff"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
)

// maxRetryAfter is the longest Retry-After that is respected.
const maxRetryAfter = 10 * time.Minute

// Failure is why an attempt has to be repeated.
type Failure struct {
	Reason Reason
	// Text is for the log: a status, an error's type or a network error. It never has more of a response's body.
	Text string
	// Advice is what an operator can do, if the failure does not pass automatically.
	Advice string

	after time.Duration // what the server asked for, else 0
	// index reports whether the failure is that of an index, so that others may be accepted.
	index bool
}

func (f *Failure) Error() string { return f.Text }

// throttled reports whether the server is available and asks for less: then another request's success means nothing.
func (f *Failure) throttled() bool {
	return f.Reason == ReasonThrottled || f.Reason == ReasonItems
}

// cause identifies what an operator has to know: two failures with the same cause are logged once.
func (f *Failure) cause() string { return string(f.Reason) + ": " + f.Advice }

func (f *Failure) fields() []zap.Field {
	fields := []zap.Field{zap.String("reason", string(f.Reason)), zap.String("failure", f.Text)}
	if f.Advice != "" {
		fields = append(fields, zap.String("advice", f.Advice))
	}
	return fields
}

// NetworkFailure describes an attempt without a response. Its text names addresses, but no URL and so no credentials.
func NetworkFailure(err error) *Failure {
	var timeout interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout()) {
		return &Failure{Reason: ReasonTimeout, Text: "no response in time"}
	}
	if withURL, ok := errors.AsType[*url.Error](err); ok { // from Client; a URL can contain secrets
		err = withURL.Err
	}
	return &Failure{Reason: ReasonUnreachable, Text: err.Error(), Advice: adviceOnError(err)}
}

// itemsFailure describes a response by which a document has to be sent again.
func itemsFailure(result bulkapi.ItemResult) *Failure {
	return &Failure{
		Reason: ReasonItems,
		Text:   fmt.Sprintf("status %d, %s", result.Status, result.Type),
		Advice: AdviceOnStatus(result.Status, result.Type),
		index:  result.Status != http.StatusTooManyRequests && result.Status != http.StatusUnauthorized,
	}
}

// statusFailure describes a response that is not about the documents.
func statusFailure(status int, header http.Header, body []byte) *Failure {
	cause, _ := bulkapi.ReadError(body)
	f := &Failure{
		Reason: ReasonRefused,
		Text:   fmt.Sprintf("status %d", status),
		Advice: AdviceOnStatus(status, cause.Type),
	}
	if cause.Type != "" {
		f.Text += ", " + cause.Type
	}
	if status == http.StatusTooManyRequests {
		f.Reason = ReasonThrottled
	}
	after, _ := backoff.RetryAfter(header.Get("Retry-After"), time.Now())
	f.after = min(after, maxRetryAfter)
	return f
}
