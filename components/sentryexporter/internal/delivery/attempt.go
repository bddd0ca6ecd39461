// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// attempt sends the items of a request once.
type attempt struct {
	*Pusher

	down map[*Destination]error // servers that failed in this attempt; they are not asked again

	left         []*item.Item
	leftCause    error
	giveUpReason item.Reason
	until        time.Time // the latest rate limit that an item waits for
	unlimited    bool      // whether an item is left that waits for no rate limit

	rejected      int
	rejectedCause error
}

func (a *attempt) send(ctx context.Context, it *item.Item) {
	dest := a.Destinations.Of(it.Route)
	if dest == nil {
		a.Counters.DiscardedItems(ctx, item.ReasonOff, it)
		return
	}
	now := a.Now()
	if a.MaxAge > 0 && now.Sub(it.Time) > a.MaxAge {
		a.Counters.DiscardedItems(ctx, item.ReasonTooOld, it)
		return
	}
	if until := dest.limits.Until(now, it.LimitedBy()...); !until.IsZero() {
		a.limited(ctx, it, until, item.ReasonBackoff)
		return
	}
	if err := a.down[dest]; err != nil {
		a.leave(it, err, item.ReasonNetworkError)
		return
	}
	dest.checkOriginClock(it, now, a.Logger)
	out, err := a.poster.postItem(ctx, dest, it)
	a.settle(ctx, dest, it, out, err)
}

// settle decides what happens to an item after its request.
func (a *attempt) settle(ctx context.Context, dest *Destination, it *item.Item, out outcome, err error) {
	switch out {
	case accepted:
		a.Counters.Sent(ctx, it)
		return
	case limited:
		a.limited(ctx, it, dest.limits.Until(a.Now(), it.LimitedBy()...), item.ReasonRateLimited)
		return
	case unavailable:
		a.down[dest] = err
		a.leave(it, err, unavailableReason(err))
		return
	case tooLarge:
		a.Counters.DiscardedItems(ctx, item.ReasonTooLarge, it)
	case rejected:
		a.Counters.DiscardedItems(ctx, item.ReasonSendError, it)
	}
	a.rejected++
	a.rejectedCause = rejection{err}
	if dest.logged.First(err.Error()) {
		a.Logger.Error("Sentry rejected an item. The item was dropped; more rejections for the same reason are only counted.",
			zap.Error(err))
	}
}

// limited leaves an error for later and drops anything else: transactions and logs are many and soon outdated.
func (a *attempt) limited(ctx context.Context, it *item.Item, until time.Time, reason item.Reason) {
	if it.Category != protocol.CategoryError {
		a.Counters.DiscardedItems(ctx, reason, it)
		return
	}
	a.left = append(a.left, it)
	if a.leftCause == nil {
		a.leftCause, a.giveUpReason = errors.New("sentry limits the rate of errors"), item.ReasonBackoff
	}
	if until.After(a.until) {
		a.until = until
	}
}

func (a *attempt) leave(it *item.Item, err error, reason item.Reason) {
	a.left = append(a.left, it)
	a.unlimited = true
	a.leftCause, a.giveUpReason = err, reason
}

// wait returns for how long nothing that is left can be sent: 0, which means the usual backoff, if an item is left that
// waits for no rate limit.
func (a *attempt) wait(now time.Time) time.Duration {
	if a.unlimited || !a.until.After(now) {
		return 0
	}
	return a.until.Sub(now)
}

func unavailableReason(err error) item.Reason {
	if errors.Unwrap(err) != nil { // wraps an error of the network
		return item.ReasonNetworkError
	}
	return item.ReasonSendError
}
