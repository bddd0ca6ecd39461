// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"
)

// errNoBroker keeps a wrong database from looking like empty queues: kombu leaves a binding behind for each queue that
// a worker or a sender has declared, so a database without any is not Dify's broker, or not yet.
var errNoBroker = errors.New("no queue has been declared there; endpoint may name the wrong database " +
	"(Dify's broker is database 1) or key_prefix may differ from Dify's REDIS_KEY_PREFIX; if Dify has just been installed, its worker has not started yet")

// request is what one collection asks Redis for.
type request struct {
	prefix   string
	queues   []queue
	bindings []string // the keys of the bindings that kombu keeps, one for each queue and one for the workers' mailbox
	unacked  string   // the key of the tasks that workers have reserved
}

// queue is a queue and the keys of the lists that hold its tasks.
type queue struct {
	name string
	keys []string
}

func newRequest(prefix string, queues []string) request {
	r := request{
		prefix:   prefix,
		bindings: []string{prefixed(prefix, bindingKey(workerMailbox))},
		unacked:  prefixed(prefix, unackedKey),
	}
	r.add(queues, len(queues))
	return r
}

// add takes queues that are not asked for yet, up to a limit of all, and tells which.
func (r *request) add(names []string, limit int) (added []string) {
	for _, name := range names {
		known := slices.ContainsFunc(r.queues, func(q queue) bool { return q.name == name })
		if known || len(r.queues) >= limit {
			continue
		}
		r.queues = append(r.queues, queue{name: name, keys: queueKeys(r.prefix, name)})
		r.bindings = append(r.bindings, prefixed(r.prefix, bindingKey(name)))
		added = append(added, name)
	}
	return added
}

// answer holds the replies of one collection; err is the first error among them.
type answer struct {
	lengths  [][]*redis.IntCmd // as request.queues, one for each key
	unacked  *redis.IntCmd
	bindings *redis.IntCmd
	err      error
}

// ask fails if nothing that Redis says can be trusted.
func (r *request) ask(ctx context.Context, client redis.UniversalClient) (answer, error) {
	a := answer{lengths: make([][]*redis.IntCmd, len(r.queues))}
	_, a.err = client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, queue := range r.queues {
			for _, key := range queue.keys {
				a.lengths[i] = append(a.lengths[i], p.LLen(ctx, key))
			}
		}
		a.unacked = p.HLen(ctx, r.unacked)
		a.bindings = p.Exists(ctx, r.bindings...)
		return nil
	})
	if a.err != nil && !a.replied() {
		// The driver leaves the replies of a connection that failed at 0, without an error of their own.
		return a, a.err
	}
	declared, err := a.bindings.Result()
	if err == nil && declared == 0 && a.allEmpty() {
		err = errNoBroker
	}
	return a, err
}

// replied tells whether the error is the server's answer to one of the commands, so that the other answers stand.
func (a *answer) replied() bool {
	if _, ok := errors.AsType[redis.Error](a.err); !ok {
		return false
	}
	return slices.ContainsFunc(a.all(), func(reply *redis.IntCmd) bool { return errors.Is(reply.Err(), a.err) })
}

func (a *answer) allEmpty() bool {
	return !slices.ContainsFunc(a.all(), func(reply *redis.IntCmd) bool { return reply.Err() != nil || reply.Val() != 0 })
}

func (a *answer) all() []*redis.IntCmd {
	return append(slices.Concat(a.lengths...), a.unacked, a.bindings)
}

// sum is the length of a queue.
func sum(replies []*redis.IntCmd) (int64, error) {
	var total int64
	for _, reply := range replies {
		n, err := reply.Result()
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}
