// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
)

// RedisEnv names the variable with the URL of a Redis to use, without a database. Databases 0 and 1 are emptied.
const RedisEnv = "OTELCOL_TEST_REDIS_URL"

// Redis is a Redis server.
type Redis struct {
	server
	url string
}

// StartRedis starts one, or uses the one in the environment.
func StartRedis(ctx context.Context) (*Redis, error) {
	if url := os.Getenv(RedisEnv); url != "" {
		r := &Redis{url: strings.TrimSuffix(url, "/")}
		err := r.Reset(ctx)
		return r, err
	}
	return StartOwnRedis(ctx)
}

// StartOwnRedis always starts one, for tests that halt it.
func StartOwnRedis(ctx context.Context) (*Redis, error) {
	r := &Redis{}
	if err := r.boot(ctx); err != nil {
		_ = r.Stop()
		return nil, err
	}
	return r, nil
}

func (r *Redis) boot(ctx context.Context) error {
	path, err := program("redis-server", []string{"redis-server"})
	if err != nil {
		return err
	}
	ports, err := proc.FreePorts(1)
	if err != nil {
		return err
	}
	if r.dir, err = proc.NewDir("redis"); err != nil {
		return err
	}
	const password = "difyai123456"
	r.url = fmt.Sprintf("redis://:%s@127.0.0.1:%d", password, ports[0])
	return r.start(ctx, proc.Spec{
		Name: "redis",
		Path: path,
		Args: []string{
			"--port", strconv.Itoa(ports[0]), "--bind", "127.0.0.1", "--dir", r.dir,
			"--save", "", "--appendonly", "no", "--requirepass", password,
		},
		Unprivileged: true,
	}, r.Reset)
}

// URL returns the URL of a database. Dify's broker is database 1.
func (r *Redis) URL(database int) string {
	return fmt.Sprintf("%s/%d", r.url, database)
}

// Reset empties the databases that Dify uses.
func (r *Redis) Reset(ctx context.Context) error {
	for database := range 2 {
		options, err := redis.ParseURL(r.URL(database))
		if err != nil {
			return fmt.Errorf("address of Redis: %w", err)
		}
		client := redis.NewClient(options)
		err = client.FlushDB(ctx).Err()
		_ = client.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
