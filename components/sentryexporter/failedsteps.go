// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"sync"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

const (
	// maxSteps and stepTTL bound what is remembered of failed steps. Dify sends a trace again for five minutes, and a
	// run's provider waits for its queue.
	maxSteps = 50_000
	stepTTL  = time.Hour
)

// failedSteps remembers of which runs and nodes an error was reported. Several emitters of Dify report the same failure
// in different traces, and one sends its whole trace again under new IDs. It is in memory only, and safe for concurrent
// use.
type failedSteps struct {
	mu    sync.Mutex
	known *expiring.Map[string, reportedStep] // guarded by mu
}

// reportedStep is the first error of a step.
type reportedStep struct {
	id      item.ID
	emitter string
}

func newFailedSteps() *failedSteps {
	return &failedSteps{known: expiring.NewMap[string, reportedStep](maxSteps, stepTTL)}
}

// Keys of known begin with one of these.
const (
	stepNode     = "node:"
	stepRun      = "run:"        // the run itself
	stepAnyOfRun = "any in run:" // the run or one of its nodes
)

// reported reports whether another error of the same failure was reported, and remembers this one if not. The failure
// of a run is that of one of its nodes. ENABLE_OTEL records several exceptions of a node, so that its errors are only
// compared with those of other emitters.
func (f *failedSteps) reported(it *item.Item, now time.Time) bool {
	step := it.Relations.Step
	if step.Run == "" && step.Node == "" {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if step.Node != "" {
		if f.has(stepNode+step.Node, it, now) || step.Run != "" && f.has(stepRun+step.Run, it, now) {
			return true
		}
		f.add(stepNode+step.Node, it, now)
	} else {
		if step.Emitter != "" && f.has(stepAnyOfRun+step.Run, it, now) {
			return true
		}
		if step.Emitter != "" {
			f.add(stepRun+step.Run, it, now)
		}
	}
	if step.Run != "" {
		f.add(stepAnyOfRun+step.Run, it, now)
	}
	return false
}

func (f *failedSteps) has(key string, it *item.Item, now time.Time) bool {
	first, ok := f.known.Get(key, now)
	return ok && first.id != it.ID && (first.emitter != "" || it.Relations.Step.Emitter != "")
}

func (f *failedSteps) add(key string, it *item.Item, now time.Time) {
	if _, ok := f.known.Get(key, now); !ok {
		f.known.Set(key, reportedStep{it.ID, it.Relations.Step.Emitter}, now)
	}
}

// split separates the errors of failures that were reported.
func (f *failedSteps) split(items []*item.Item, now time.Time) (fresh, reported []*item.Item) {
	for _, it := range items {
		if f.reported(it, now) {
			reported = append(reported, it)
		} else {
			fresh = append(fresh, it)
		}
	}
	return fresh, reported
}
