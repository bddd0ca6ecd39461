// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
)

// settle acts on each item's result.
func (d *Deliverer) settle(
	ctx context.Context, items chunk, results []bulkapi.ItemResult,
) (rest []chunk, failed *Failure, progress bool) {
	var again, deadLetters, rejected chunk
	counts := map[Outcome]int{}
	for i, result := range results {
		switch {
		case result.Result == bulkapi.Accepted, result.Result == bulkapi.Duplicate:
			counts[outcomeOf(items[i], result.Result)]++
		case result.Result == bulkapi.RetryLater:
			again = append(again, items[i])
			failed = itemsFailure(result)
		case items[i].DeadLetter:
			rejected = append(rejected, items[i])
			d.rejected.log(result)
		default:
			deadLetters = append(deadLetters, newDeadLetter(items[i], result, d.DeadLetterIndex, d.MaxDeadLetter, time.Now()))
			d.deadLetters.log(result)
		}
	}
	if stored, err := d.storeRejected(ctx, rejected); err != nil { // there is nothing better than to retry all of them
		again = append(again, rejected...)
		failed = &Failure{Reason: ReasonStorage, Text: err.Error()}
	} else if stored > 0 {
		counts[OutcomeDeadLetterStored] = stored
	}
	for outcome, n := range counts {
		d.Telemetry.Items(ctx, n, outcome)
	}
	return nonEmpty(deadLetters, again), failed, len(again) < len(items)
}

// storeRejected stores dead letters that were rejected and returns how many of them were not in storage before.
func (d *Deliverer) storeRejected(ctx context.Context, rejected chunk) (stored int, err error) {
	if len(rejected) == 0 {
		return 0, nil
	}
	for _, deadLetter := range rejected {
		if !deadLetter.Stored {
			stored++
		}
	}
	return stored, d.Store.Put(context.WithoutCancel(ctx), bulkapi.Join(rejected), len(rejected))
}

func outcomeOf(i bulkapi.Item, r bulkapi.Result) Outcome {
	switch {
	case i.DeadLetter:
		return OutcomeDeadLetter
	case r == bulkapi.Duplicate:
		return OutcomeDuplicate
	default:
		return OutcomeDelivered
	}
}
