// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/logthrottle"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/store"
)

// storeRetry is the pause before storing is tried again.
const storeRetry = time.Second

var errStopped = errors.New("opensearch_bulk: the extension is stopped")

// Settings of a Deliverer. All fields but Client are required.
type Settings struct {
	// AttemptTimeout ends an attempt without a response.
	AttemptTimeout time.Duration
	// DeadLetterIndex receives what OpenSearch rejects permanently.
	DeadLetterIndex string
	// Client sends dead letters and stored documents; nil: they use the exporter's client.
	Client *Client
	// MaxDeferred is how many bytes may be in storage when documents that wait for their index are added.
	MaxDeferred int64
	// MaxDocument is the size of a document from which it is a dead letter, and MaxDeadLetter the size to which the
	// document in a dead letter is cut.
	MaxDocument, MaxDeadLetter int
	// Ready is closed when documents may be sent.
	Ready <-chan struct{}

	Store     *store.Store
	Outage    *Outage
	Phases    *Phases
	Logger    *zap.Logger
	Telemetry Telemetry
}

// Deliverer sends documents to OpenSearch, however long that takes. It is safe for concurrent use.
//
// What always holds:
//   - A request is reported as done only when each of its documents is accepted by OpenSearch, is a dead letter that
//     OpenSearch has accepted, or is in storage. Until then the exporter's persistent queue has the batch.
//   - The action line of a document is written once, when its request arrives, and is the same on every retry, in
//     storage and after a restart. A document that is sent again therefore has the same index and id, and a 409 on
//     `create` means that an earlier attempt was accepted.
//   - Dead letters have an id made from the place of their document, so a document that is rejected again is still one
//     dead letter.
//
// Order of durability: OpenSearch accepts the document or its dead letter, or a storage transaction has it; then the
// exporter gets its response; then its queue deletes the batch. An entry of the storage is deleted only after each of
// its documents was accepted or is in another entry.
//
// What a crash costs, with a persistent queue and `create` actions:
//   - before the exporter's queue has deleted the batch: the batch is sent again, and what OpenSearch had accepted is
//     a 409. Only a document without a stable id (no span, no `log.record.uid`) can then exist twice.
//   - between writing to storage and the queue's deletion: both have the documents, and both are delivered, once.
//   - between the delivery of an entry and its removal from storage: the entry is sent again after the next start, and
//     its documents are 409s.
//   - between the two halves of a split request, or between documents and their dead letters: as in the first case.
//
// Nothing is lost in any of these cases.
type Deliverer struct {
	Settings
	exporters latestTarget // how exporters reach OpenSearch
	waiting   *waitingIndices

	deferred    logthrottle.Interval
	deadLetters rejectionLog
	rejected    rejectionLog // dead letters that were rejected too
}

// New returns a Deliverer.
func New(set Settings) *Deliverer {
	return &Deliverer{
		Settings:  set,
		exporters: latestTarget{known: make(chan struct{})},
		waiting:   newWaitingIndices(),
		deferred:  logthrottle.Interval{Every: deferLogInterval},
		deadLetters: newRejectionLog(set.Logger,
			"OpenSearch permanently rejected documents: they go to the dead-letter index"),
		rejected: newRejectionLog(set.Logger,
			"The dead-letter index rejected documents too: they stay in storage and are retried every ten minutes"),
	}
}

// chunk is what goes into one request: documents or dead letters, never both, since they may use different clients.
type chunk []bulkapi.Item

// DeliverOrStore returns nil once each document is delivered, a dead letter, or stored. It returns an error only if
// the caller's context was canceled, or if storing fails until the extension is stopped.
func (d *Deliverer) DeliverOrStore(ctx context.Context, to target, items []bulkapi.Item) error {
	bounded, cancel := d.Phases.untilCutoff(ctx)
	defer cancel()
	left := d.withoutTooLarge(items)
	if d.waitReady(bounded) {
		left = d.deliver(bounded, to, left)
	}
	if len(left) == 0 {
		return nil
	}
	// The collector stops, or the operator set a deadline: the exporter can't send again, so the documents are stored
	// here.
	if _, deadline := ctx.Deadline(); d.Phases.Releasing.Err() == nil && ctx.Err() != nil && !deadline {
		return ctx.Err()
	}
	return d.persist(ctx, left)
}

// waitReady returns false if ctx ended or the collector stops before documents may be sent.
func (d *Deliverer) waitReady(ctx context.Context) bool {
	select {
	case <-d.Ready:
		return true
	default:
	}
	select {
	case <-d.Ready:
		return true
	case <-ctx.Done():
		return false
	case <-d.Phases.Releasing.Done():
		return false
	}
}

// persist writes items to storage. While that fails it retries and does not return: the exporter's queue then still
// has the batch, even if the collector has to be killed. It ignores the end of ctx, which is why it is called.
func (d *Deliverer) persist(ctx context.Context, items []bulkapi.Item) error {
	ctx = context.WithoutCancel(ctx)
	body := bulkapi.Join(items)
	for failed := false; ; failed = true {
		err := d.Store.Put(ctx, body, len(items))
		if err == nil {
			d.Telemetry.Items(ctx, len(items), OutcomeStored)
			return nil
		}
		if !failed {
			d.Logger.Error("Documents can't be stored: their requests stay open until they can, and the exporter's queue "+
				"keeps them", zap.Error(err))
		}
		select {
		case <-time.After(storeRetry):
		case <-d.Phases.Life.Done():
			return errStopped
		}
	}
}

// deliver returns when each item has its result or is put aside, or with the items that have none when ctx ends or the
// collector stops. Items from storage are not put aside again, but returned.
func (d *Deliverer) deliver(ctx context.Context, to target, items []bulkapi.Item) (left []bulkapi.Item) {
	retrier := d.Outage.NewRetrier()
	defer func() { retrier.End(ctx, len(left) == 0) }()

	work := byTarget(items)
	for len(work) > 0 && ctx.Err() == nil {
		next := d.attempt(ctx, to, work[0])
		if len(next.waiting) > 0 {
			left = append(left, d.deferOrRetry(ctx, &next)...)
		}
		work = slices.Concat(next.again, work[1:])
		if next.progress {
			retrier.Progress()
		}
		if next.failed != nil && !retrier.Pause(ctx, d.Phases.Releasing, *next.failed) {
			break
		}
	}
	for _, rest := range work {
		left = append(left, rest...)
	}
	return left
}

// deferOrRetry puts the documents aside that wait for their index; if they can't be stored, they are sent again. It
// returns them if they are in storage already.
func (d *Deliverer) deferOrRetry(ctx context.Context, next *step) (stored chunk) {
	switch {
	case next.waiting[0].Stored:
		d.waiting.add(next.waiting)
		stored = next.waiting
	case !d.putAside(ctx, next.waiting, next.waitsFor):
		next.again, next.failed = append(next.again, next.waiting), next.waitsFor
		return nil // the retry is counted when it pauses
	}
	d.Telemetry.Retries(ctx, next.waitsFor.Reason)
	return stored
}

// byTarget separates documents from dead letters, which are together only in storage.
func byTarget(items []bulkapi.Item) []chunk {
	var documents, deadLetters chunk
	for _, i := range items {
		if i.DeadLetter {
			deadLetters = append(deadLetters, i)
		} else {
			documents = append(documents, i)
		}
	}
	return nonEmpty(documents, deadLetters)
}

func nonEmpty(chunks ...chunk) []chunk {
	return slices.DeleteFunc(chunks, func(c chunk) bool { return len(c) == 0 })
}

// step is what remains to do after an attempt.
type step struct {
	again    []chunk
	failed   *Failure // why again should pause first; nil: it should not
	waiting  chunk    // documents whose index does not accept them now
	waitsFor *Failure // why they wait
	progress bool     // OpenSearch decided about at least one item
}

// attempt sends one chunk.
func (d *Deliverer) attempt(ctx context.Context, to target, items chunk) step {
	if items[0].DeadLetter && d.Client != nil {
		to = d.Client
	}
	status, header, body, err := d.exchange(ctx, to, bulkapi.Join(items))
	if err != nil {
		return step{again: []chunk{items}, failed: NetworkFailure(err)}
	}
	switch {
	case status >= http.StatusOK && status < http.StatusMultipleChoices:
		results, err := bulkapi.ReadResponse(body, items)
		if err != nil {
			failed := &Failure{Reason: ReasonNotJSON, Text: err.Error(), Advice: adviceAddress}
			return step{again: []chunk{items}, failed: failed}
		}
		d.Outage.succeeded()
		return d.settle(ctx, items, results)
	case status == http.StatusRequestEntityTooLarge:
		return d.split(ctx, items, ReasonTooLarge, bulkapi.ItemResult{
			Result: bulkapi.Rejected,
			Status: status,
			Type:   "too_large",
			Reason: "the document alone is too large for one request",
		})
	case status == http.StatusBadRequest:
		if cause, ok := bulkapi.ReadError(body); ok {
			return d.split(ctx, items, ReasonBadRequest, bulkapi.ItemResult{
				Result: bulkapi.Rejected,
				Status: status,
				Type:   cause.Type,
				Reason: cause.Text(),
			})
		}
	}
	return step{again: []chunk{items}, failed: statusFailure(status, header, body)}
}

// exchange sends a body and reads the whole response, within the attempt's timeout.
func (d *Deliverer) exchange(ctx context.Context, to target, body []byte) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, d.AttemptTimeout)
	defer cancel()
	d.Telemetry.Requests(ctx)
	resp, err := to.send(ctx, body)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	response, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, response, err
}

// split halves a chunk that was rejected as a whole. If it is a single document, that document gets the result.
func (d *Deliverer) split(ctx context.Context, items chunk, why Reason, single bulkapi.ItemResult) step {
	if len(items) == 1 {
		return d.settle(ctx, items, []bulkapi.ItemResult{single})
	}
	d.Telemetry.Retries(ctx, why)
	half := len(items) / 2
	return step{again: []chunk{items[:half], items[half:]}, progress: true}
}
