// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"time"
)

// releaseGrace is the time that all blocked requests together get for a last response once the collector begins to
// stop. Requests without one are stored then, and later ones are stored at once: a big batch arrives as many requests
// in sequence.
const releaseGrace = 2 * time.Second

// Phases is how the collector stops, as three contexts that end one after the other.
type Phases struct {
	// Releasing ends when the collector begins to stop its pipelines: no attempt is repeated from then on.
	Releasing context.Context
	// Cutoff ends some seconds later: no attempt goes on from then on.
	Cutoff context.Context
	// Life ends when the collector stops the extension.
	Life context.Context

	release, cut, end context.CancelFunc
}

// NewPhases returns phases of which none has ended.
func NewPhases() *Phases {
	p := &Phases{}
	p.Releasing, p.release = context.WithCancel(context.Background())
	p.Cutoff, p.cut = context.WithCancel(context.Background())
	p.Life, p.end = context.WithCancel(context.Background())
	return p
}

// Release ends Releasing now, and Cutoff after a grace period.
func (p *Phases) Release() {
	p.release()
	time.AfterFunc(releaseGrace, p.cut)
}

// End ends all phases.
func (p *Phases) End() {
	p.release()
	p.cut()
	p.end()
}

// untilCutoff returns a context that ends with ctx or with Cutoff.
func (p *Phases) untilCutoff(ctx context.Context) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(p.Cutoff, cancel)
	if p.Cutoff.Err() != nil {
		cancel() // now: AfterFunc is asynchronous
	}
	return bounded, func() {
		stop()
		cancel()
	}
}
