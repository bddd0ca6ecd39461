// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// KafkaEnv names the variable with the addresses of a Kafka to use, without login: host:port, separated by commas.
// Topics are created in it and deleted.
const KafkaEnv = "OTELCOL_TEST_KAFKA_BROKERS"

// The login at the secure listener of a Kafka that was started here, with SCRAM-SHA-512 or PLAIN; see
// tests/kafka/start.sh.
const (
	KafkaUser     = "otelcol"
	KafkaPassword = "secret"
)

// Kafka is a broker that is its own controller.
type Kafka struct {
	server
	Brokers string // for clients, without login
	Secure  string // the same with TLS and login; empty for one that was not started here
	CAFile  string // of Secure

	client *kgo.Client
	admin  *kadm.Client
}

// StartKafka starts one, or uses the one in the environment.
func StartKafka(ctx context.Context) (*Kafka, error) {
	brokers := os.Getenv(KafkaEnv)
	if brokers == "" {
		return StartOwnKafka(ctx)
	}
	k := &Kafka{Brokers: brokers}
	if err := errors.Join(k.connect(), k.answers(ctx)); err != nil {
		_ = k.Stop()
		return nil, err
	}
	return k, nil
}

// StartOwnKafka always starts one, for tests that halt it or log in.
func StartOwnKafka(ctx context.Context) (*Kafka, error) {
	k := &Kafka{}
	if err := k.boot(ctx); err != nil {
		_ = k.Stop()
		return nil, err
	}
	return k, nil
}

func (k *Kafka) boot(ctx context.Context) (err error) {
	if k.dir, err = proc.NewDir("kafka"); err != nil {
		return err
	}
	ports, err := proc.FreePorts(3)
	if err != nil {
		return err
	}
	address := func(i int) string { return "127.0.0.1:" + strconv.Itoa(ports[i]) }
	k.Brokers, k.Secure, k.CAFile = address(0), address(2), filepath.Join(k.dir, "ca.pem")
	if err := k.connect(); err != nil {
		return err
	}
	return k.start(ctx, proc.Spec{
		Name: "kafka",
		Path: repo.Path("tests", "kafka", "start.sh"),
		Args: []string{"run", strconv.Itoa(ports[0]), strconv.Itoa(ports[1]), k.dir, strconv.Itoa(ports[2])},
		Env:  []string{cacheEnv + "=" + os.Getenv(cacheEnv), "OTELCOL_TEST_JAVA_HOME=" + os.Getenv("OTELCOL_TEST_JAVA_HOME")},
	}, k.answers)
}

func (k *Kafka) connect() (err error) {
	k.client, err = kgo.NewClient(
		kgo.SeedBrokers(strings.Split(k.Brokers, ",")...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(MaxMessageBytes),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }), // it will be back soon
	)
	if err == nil {
		k.admin = kadm.NewClient(k.client)
	}
	return err
}

// answers returns nil when there is a broker that leads partitions and groups.
func (k *Kafka) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	brokers, err := k.admin.ListBrokers(ctx)
	if err == nil && len(brokers) == 0 {
		err = errors.New("no broker is in service yet")
	}
	if err != nil {
		return err
	}
	return k.admin.FindGroupCoordinators(ctx, "any").Error()
}

// Stop ends the broker and removes its data.
func (k *Kafka) Stop() error {
	if k.client != nil {
		k.client.Close()
	}
	if k.process != nil {
		k.process.Kill() // its data is removed anyway
	}
	return k.server.Stop()
}

// MaxMessageBytes is the limit of a topic that docs/scale.md requires.
const MaxMessageBytes = 90_000_000

// CreateTopics creates topics as docs/scale.md describes.
func (k *Kafka) CreateTopics(ctx context.Context, partitions int32, names ...string) error {
	return k.CreateTopicsLimited(ctx, partitions, MaxMessageBytes, names...)
}

// CreateTopicsLimited creates topics with a limit on the compressed size of messages.
func (k *Kafka) CreateTopicsLimited(ctx context.Context, partitions int32, maxMessageBytes int, names ...string) error {
	limit := strconv.Itoa(maxMessageBytes)
	answers, err := k.admin.CreateTopics(ctx, partitions, 1, map[string]*string{"max.message.bytes": &limit}, names...)
	return errors.Join(err, answers.Error())
}

// DeleteTopics deletes topics.
func (k *Kafka) DeleteTopics(ctx context.Context, names ...string) error {
	answers, err := k.admin.DeleteTopics(ctx, names...)
	return errors.Join(err, answers.Error())
}

// SetTopic changes a setting of a topic. An empty value restores the default.
func (k *Kafka) SetTopic(ctx context.Context, topic, key, value string) error {
	change := kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: &value}
	if value == "" {
		change = kadm.AlterConfig{Op: kadm.DeleteConfig, Name: key}
	}
	responses, err := k.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{change}, topic)
	for _, r := range responses {
		err = errors.Join(err, r.Err)
	}
	return err
}

// DenyWrite revokes KafkaUser's permission to write to a topic. AllowWrite restores it.
func (k *Kafka) DenyWrite(ctx context.Context, topic string) error {
	results, err := k.admin.CreateACLs(ctx, denyWrite(topic))
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	return err
}

// AllowWrite reverts DenyWrite.
func (k *Kafka) AllowWrite(ctx context.Context, topic string) error {
	results, err := k.admin.DeleteACLs(ctx, denyWrite(topic))
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	return err
}

func denyWrite(topic string) *kadm.ACLBuilder {
	return kadm.NewACLs().
		Deny("User:" + KafkaUser).
		DenyHosts("*").
		Topics(topic).
		Operations(kadm.OpWrite).
		ResourcePatternType(kadm.ACLPatternLiteral)
}

// Produce writes a message of arbitrary bytes, and returns its position.
func (k *Kafka) Produce(ctx context.Context, topic string, partition int32, value []byte) (offset int64, err error) {
	result := k.client.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: partition, Value: value})
	record, err := result.First()
	if err != nil {
		return 0, fmt.Errorf("produce to %s: %w", topic, err)
	}
	return record.Offset, nil
}

// Messages returns all messages of a topic.
func (k *Kafka) Messages(ctx context.Context, topic string) ([]*kgo.Record, error) {
	ends, err := k.EndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(k.Brokers, ",")...), kgo.ConsumeTopics(topic))
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	want := int64(0)
	for _, end := range ends {
		want += end
	}
	var messages []*kgo.Record
	for int64(len(messages)) < want {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		messages = append(messages, fetches.Records()...)
	}
	return messages, nil
}

// EndOffsets returns the offsets of the next messages, by partition.
func (k *Kafka) EndOffsets(ctx context.Context, topic string) (map[int32]int64, error) {
	listed, err := k.admin.ListEndOffsets(ctx, topic)
	err = errors.Join(err, listed.Error())
	if err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	for partition, o := range listed[topic] {
		offsets[partition] = o.Offset
	}
	return offsets, nil
}

// Committed returns a group's committed offsets by partition. Partitions without one are left out.
func (k *Kafka) Committed(ctx context.Context, group, topic string) (map[int32]int64, error) {
	committed, err := k.admin.FetchOffsets(ctx, group)
	err = errors.Join(err, committed.Error())
	if err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	for partition, o := range committed[topic] {
		offsets[partition] = o.At
	}
	return offsets, nil
}

// Lag returns the number of messages of a topic that a group has not committed.
func (k *Kafka) Lag(ctx context.Context, group, topic string) (int64, error) {
	ends, err := k.EndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	committed, err := k.Committed(ctx, group, topic)
	lag := int64(0)
	for partition, end := range ends {
		lag += max(0, end-committed[partition])
	}
	return lag, err
}

// Rewind sets a group's offset in each partition of a topic. Kafka refuses this while the group has members.
func (k *Kafka) Rewind(ctx context.Context, group, topic string, offset int64) error {
	ends, err := k.EndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	offsets := kadm.Offsets{}
	for partition := range ends {
		offsets.AddOffset(topic, partition, offset, -1)
	}
	answers, err := k.admin.CommitOffsets(ctx, group, offsets)
	return errors.Join(err, answers.Error())
}
