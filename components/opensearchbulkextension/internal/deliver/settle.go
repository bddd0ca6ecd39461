// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
)

// settle acts on each item's result.
func (d *Deliverer) settle(ctx context.Context, items chunk, results []bulkapi.ItemResult) step {
	var next step
	var again, deadLetters, rejected, decided chunk
	counts := map[Outcome]int{}
	for i, result := range results {
		if result.Result == bulkapi.RetryLater {
			if failed := itemsFailure(result); failed.index {
				next.waiting, next.waitsFor = append(next.waiting, items[i]), failed
			} else {
				again, next.failed = append(again, items[i]), failed
			}
			continue
		}
		decided = append(decided, items[i])
		switch {
		case result.Result == bulkapi.Accepted, result.Result == bulkapi.Duplicate:
			counts[outcomeOf(items[i], result.Result)]++
		case items[i].DeadLetter:
			rejected = append(rejected, items[i])
			d.rejected.log(result)
		default:
			deadLetters = append(deadLetters, newDeadLetter(items[i], result, d.DeadLetterIndex, d.MaxDeadLetter, time.Now()))
			d.deadLetters.log(result)
		}
	}
	d.waiting.remove(decided)
	if stored, err := d.storeRejected(ctx, rejected); err != nil { // there is nothing better than to retry all of them
		again = append(again, rejected...)
		next.failed = &Failure{Reason: ReasonStorage, Text: err.Error()}
	} else if stored > 0 {
		counts[OutcomeDeadLetterStored] = stored
	}
	for outcome, n := range counts {
		d.Telemetry.Items(ctx, n, outcome)
	}
	next.again = nonEmpty(deadLetters, again)
	next.progress = len(again)+len(next.waiting) < len(items)
	return next
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
