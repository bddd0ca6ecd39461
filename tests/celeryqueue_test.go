// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
)

func TestCeleryBacklogIsMeasured(t *testing.T) {
	s := newStack(t, stackOptions{})
	pyenv.Enqueue(t, s.difyEnv, "dataset", 7)
	pyenv.Enqueue(t, s.difyEnv, "new_agent_beta", 2) // Dify sends to it, and none of its workers consumes it

	s.expectValue(t, 7, `celery_queue_length{celery_queue="dataset"}`)
	s.expectValue(t, 2, `celery_queue_length{celery_queue="new_agent_beta"}`)
	s.expectValue(t, 0, `celery_queue_length{celery_queue="mail"}`)
	pyenv.Enqueue(t, s.difyEnv, "dataset", 3)
	s.expectValue(t, 10, `celery_queue_length{celery_queue="dataset"}`)
}
