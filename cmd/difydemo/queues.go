// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"github.com/alicebob/miniredis/v2"
)

// brokerDB is the Redis database that Dify's compose file gives to Celery.
const brokerDB = 1

// backlog is a queue whose tasks are not consumed.
const backlog = "dataset"

// queues are Celery's: one Redis list per queue.
type queues struct {
	server *miniredis.Miniredis
	broker *miniredis.RedisDB
}

func startQueues() (*queues, error) {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		return nil, err
	}
	return &queues{server: server, broker: server.DB(brokerDB)}, nil
}

func (q *queues) close(context.Context) error {
	q.server.Close()
	return nil
}

// url returns the value for CELERY_BROKER_URL.
func (q *queues) url() string {
	return "redis://" + q.server.Addr() + "/1"
}

// push adds a task, as kombu does.
func (q *queues) push(queue string) error {
	_, err := q.broker.Lpush(queue, `{"body": "", "headers": {"task": "demo"}}`)
	return err
}

// pop takes the oldest task, if there is one.
func (q *queues) pop(queue string) error {
	_, err := q.broker.Pop(queue)
	if errors.Is(err, miniredis.ErrKeyNotFound) {
		return nil
	}
	return err
}

// waiting returns the number of tasks in all queues.
func (q *queues) waiting() int {
	n := 0
	for _, key := range q.broker.Keys() {
		if list, err := q.broker.List(key); err == nil {
			n += len(list)
		}
	}
	return n
}
