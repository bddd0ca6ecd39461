// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"
)

// errNoBroker prevents a wrong database from being reported as empty queues: kombu stores a binding for each queue
// that a worker or a sender has declared, so a database without any is not Dify's broker, or not yet.
var errNoBroker = errors.New("no queue has been declared there; `endpoint` may have the wrong database " +
	"(Dify's broker is database 1) or `key_prefix` may differ from Dify's REDIS_KEY_PREFIX; " +
	"if Dify has just been installed, its worker has not started yet")

// request is what one collection reads from Redis.
type request struct {
	prefix   string
	queues   []queue
	bindings []string // the keys of the bindings that kombu stores, one for each queue and one for the workers' mailbox
	unacked  string   // the key of the tasks that workers have reserved
}

// queue is a queue and the keys of the lists with its tasks.
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

// add adds queues that are not requested yet, up to a limit of all, and returns them.
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

// response has the replies of one collection; err is the first error among them.
type response struct {
	lengths  [][]*redis.IntCmd // as request.queues, one for each key
	unacked  *redis.IntCmd
	bindings *redis.IntCmd
	err      error
}

// send reads everything in one round trip. It fails if no reply can be trusted.
func (r *request) send(ctx context.Context, client redis.UniversalClient) (response, error) {
	a := response{lengths: make([][]*redis.IntCmd, len(r.queues))}
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

// replied reports whether the error is the server's reply to one of the commands, so that the other replies are valid.
func (r *response) replied() bool {
	if _, ok := errors.AsType[redis.Error](r.err); !ok {
		return false
	}
	return slices.ContainsFunc(r.all(), func(reply *redis.IntCmd) bool { return errors.Is(reply.Err(), r.err) })
}

func (r *response) allEmpty() bool {
	return !slices.ContainsFunc(r.all(), func(reply *redis.IntCmd) bool { return reply.Err() != nil || reply.Val() != 0 })
}

func (r *response) all() []*redis.IntCmd {
	return append(slices.Concat(r.lengths...), r.unacked, r.bindings)
}

// sum returns the length of a queue.
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
