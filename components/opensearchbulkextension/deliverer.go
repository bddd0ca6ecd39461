// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadata"
)

var errBlocked = errors.New("OpenSearch does not take documents")

// maxRetryAfter bounds how long a server's Retry-After can silence a request.
const maxRetryAfter = 10 * time.Minute

// deliverer brings documents to OpenSearch, however long that takes.
type deliverer struct {
	cfg       *Config
	telemetry *metadata.TelemetryBuilder
	outage    *outage
	store     *store
	letters   *rejectionLog   // documents that were rejected
	lost      *rejectionLog   // dead letters that were refused too
	own       target          // nil without `http::endpoint`
	releasing context.Context // ended when the collector begins to stop
}

// chunk is what goes into one request: documents or dead letters, never both, since they may go different ways.
type chunk []item

// deliver returns when every item has its verdict, or with those that have none when ctx ends or the collector stops.
func (c *deliverer) deliver(ctx context.Context, to target, items []item) (left []item) {
	h := retrier{outage: c.outage}
	defer func() { h.end(ctx, len(left) == 0) }()

	work := byTarget(items)
	for len(work) > 0 {
		if ctx.Err() != nil {
			break
		}
		again, failed, progress := c.attempt(ctx, to, work[0])
		work = slices.Concat(again, work[1:])
		if progress {
			h.progress()
		}
		if failed != nil && len(work) > 0 && !h.pause(ctx, c.releasing, *failed) {
			break
		}
	}
	for _, rest := range work {
		left = append(left, rest...)
	}
	return left
}

// byTarget parts documents from dead letters, which stand together only in storage.
func byTarget(items []item) []chunk {
	var documents, letters chunk
	for _, i := range items {
		if i.dead {
			letters = append(letters, i)
		} else {
			documents = append(documents, i)
		}
	}
	return nonEmpty(documents, letters)
}

func nonEmpty(chunks ...chunk) []chunk {
	return slices.DeleteFunc(chunks, func(c chunk) bool { return len(c) == 0 })
}

// attempt sends one chunk. It returns what has to be sent again and, if that should wait, why; progress says whether
// OpenSearch decided about at least one item.
func (c *deliverer) attempt(ctx context.Context, to target, items chunk) (again []chunk, failed *failure, progress bool) {
	if items[0].dead && c.own != nil {
		to = c.own
	}
	status, header, body, err := c.exchange(ctx, to, join(items))
	if err != nil {
		return []chunk{items}, networkFailure(err), false
	}
	switch {
	case status >= http.StatusOK && status < http.StatusMultipleChoices:
		results, err := readResponse(body, items)
		if err != nil {
			return []chunk{items}, &failure{reason: reasonNotJSON, text: err.Error(), advice: adviceAddress}, false
		}
		c.outage.answered()
		return c.settle(ctx, items, results)
	case status == http.StatusRequestEntityTooLarge:
		result := itemResult{result: rejected, status: status, kind: "too_large", reason: "the document alone is too large for one request"}
		return c.split(ctx, items, reasonTooLarge, result)
	case status == http.StatusBadRequest:
		if cause, ok := readError(body); ok {
			result := itemResult{result: rejected, status: status, kind: cause.Type, reason: cause.text()}
			return c.split(ctx, items, reasonBadRequest, result)
		}
	}
	return []chunk{items}, statusFailure(status, header, body), false
}

// exchange sends a body and reads the whole answer, within attempt_timeout.
func (c *deliverer) exchange(ctx context.Context, to target, body []byte) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.AttemptTimeout)
	defer cancel()
	c.telemetry.OpensearchBulkRequests.Add(ctx, 1)
	resp, err := to.send(ctx, body)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, answer, err
}

// split halves a chunk that was refused as a whole; a single document is what was refused.
func (c *deliverer) split(ctx context.Context, items chunk, why reason, single itemResult) ([]chunk, *failure, bool) {
	if len(items) == 1 {
		return c.settle(ctx, items, []itemResult{single})
	}
	c.telemetry.OpensearchBulkRetries.Add(ctx, 1, why.option())
	half := len(items) / 2
	return []chunk{items[:half], items[half:]}, nil, true
}

// settle acts on each item's result.
func (c *deliverer) settle(ctx context.Context, items chunk, results []itemResult) (rest []chunk, failed *failure, progress bool) {
	var again, letters, lost chunk
	counts := map[outcome]int64{}
	for i, result := range results {
		switch {
		case result.result == accepted, result.result == duplicate:
			counts[countAs(items[i], result.result)]++
		case result.result == retryLater:
			again = append(again, items[i])
			failed = itemsFailure(result)
		case items[i].dead:
			lost = append(lost, items[i])
			c.lost.refused(result)
		default:
			letters = append(letters, newDeadLetter(items[i], result, c.cfg.DeadLetterIndex, time.Now()))
			c.letters.refused(result)
		}
	}
	if stored, err := c.storeRejected(ctx, lost); err != nil { // nothing better than to try all of it again
		again = append(again, lost...)
		failed = &failure{reason: reasonStorage, text: err.Error()}
	} else if stored > 0 {
		counts[outcomeDeadLetterStored] = stored
	}
	for what, n := range counts {
		c.telemetry.OpensearchBulkItems.Add(ctx, n, what.option())
	}
	return nonEmpty(letters, again), failed, len(again) < len(items)
}

// storeRejected puts dead letters that were refused into storage and says how many were not there before.
func (c *deliverer) storeRejected(ctx context.Context, lost chunk) (stored int64, err error) {
	if len(lost) == 0 {
		return 0, nil
	}
	for _, letter := range lost {
		if !letter.stored {
			stored++
		}
	}
	return stored, c.store.put(context.WithoutCancel(ctx), lost)
}

func countAs(i item, r result) outcome {
	switch {
	case i.dead:
		return outcomeDeadLetter
	case r == duplicate:
		return outcomeDuplicate
	default:
		return outcomeDelivered
	}
}

// networkFailure describes an attempt without an answer. Errors at this level name addresses, never a login.
func networkFailure(err error) *failure {
	var timeout interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout()) {
		return &failure{reason: reasonTimeout, text: "no answer in time"}
	}
	if withURL, ok := errors.AsType[*url.Error](err); ok { // the extension's own client; a URL can have secrets in it
		err = withURL.Err
	}
	return &failure{reason: reasonUnreachable, text: err.Error(), advice: adviceOnError(err)}
}

// itemsFailure describes an answer by which a document has to be sent again.
func itemsFailure(result itemResult) *failure {
	return &failure{
		reason: reasonItems,
		text:   fmt.Sprintf("status %d, %s", result.status, result.kind),
		advice: adviceOnStatus(result.status, result.kind),
	}
}

// statusFailure describes an answer that is not about the documents.
func statusFailure(status int, header http.Header, body []byte) *failure {
	cause, _ := readError(body)
	f := &failure{reason: reasonRefused, text: fmt.Sprintf("status %d", status), advice: adviceOnStatus(status, cause.Type)}
	if cause.Type != "" {
		f.text += ", " + cause.Type
	}
	if status == http.StatusTooManyRequests {
		f.reason = reasonThrottled
	}
	f.after = min(retryAfter(header, time.Now()), maxRetryAfter)
	return f
}
