// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
)

// Two readers would count every run twice, and two metrics replicas would expose every series twice: neither is
// scaled, nor doubled during an update.
func TestWhatMustBeOneIsOne(t *testing.T) {
	eachValueSet(t, func(t *testing.T, m *manifests) {
		assert.Equal(t, int32(1), *m.sets[release].Spec.Replicas)
		if m.metrics != nil {
			assert.Equal(t, int32(1), *m.metrics.Spec.Replicas)
			assert.Equal(t, appsv1.RecreateDeploymentStrategyType, m.metrics.Spec.Strategy.Type)
		}
		for name, scaler := range m.scalers {
			assert.Equal(t, "StatefulSet", scaler.Spec.ScaleTargetRef.Kind)
			assert.Equal(t, name, scaler.Spec.ScaleTargetRef.Name)
			assert.Contains(t, []string{release + "-gateway", release + "-writer"}, name)
			assert.Nil(t, m.sets[name].Spec.Replicas, "each upgrade would set it back")
			assert.GreaterOrEqual(t, *scaler.Spec.MinReplicas, int32(2))
			assert.Positive(t, *scaler.Spec.Behavior.ScaleDown.StabilizationWindowSeconds)
		}
	})
	assert.Len(t, valueSet(t, "kafka").scalers, 2)
	plain := valueSet(t, "kafka-plain")
	assert.Empty(t, plain.scalers)
	assert.Equal(t, int32(3), *plain.sets[release+"-gateway"].Spec.Replicas)
	assert.Equal(t, int32(4), *plain.sets[release+"-writer"].Spec.Replicas)
}

// A queue is kept when its pod is deleted or scaled down, and when the release is uninstalled.
func TestClaimsStay(t *testing.T) {
	eachValueSet(t, func(t *testing.T, m *manifests) {
		for name, set := range m.sets {
			if len(set.Spec.VolumeClaimTemplates) == 0 {
				assert.Equal(t, "storage-otelcol-reader-0", set.Spec.Template.Spec.Volumes[1].PersistentVolumeClaim.ClaimName)
				continue
			}
			policy := set.Spec.PersistentVolumeClaimRetentionPolicy
			assert.Equal(t, appsv1.RetainPersistentVolumeClaimRetentionPolicyType, policy.WhenDeleted, name)
			assert.Equal(t, appsv1.RetainPersistentVolumeClaimRetentionPolicyType, policy.WhenScaled, name)
		}
	})
}

// With Kafka the collector becomes the reader: the same StatefulSet with the same claim, whose immutable fields stay.
// Dify's address stays too, and is then that of the gateways.
func TestKafkaKeepsTheCollectorsVolumeAndTheAddress(t *testing.T) {
	single := valueSet(t, "single")
	kafka := valueSet(t, "single", parse(t, "kafka: {enabled: true, brokers: kafka}"))
	before, after := single.sets[release].Spec, kafka.sets[release].Spec
	assert.Equal(t, before.VolumeClaimTemplates, after.VolumeClaimTemplates)
	assert.Equal(t, before.Selector, after.Selector)
	assert.Equal(t, before.ServiceName, after.ServiceName)
	assert.Equal(t, before.PodManagementPolicy, after.PodManagementPolicy)
	assert.Equal(t, []string{
		"--config=" + configFolder + "gateway.yaml", "--config=" + configFolder + "reader.yaml",
	}, after.Template.Spec.Containers[0].Args)
	assert.Equal(t, single.services[release].Spec.Ports, kafka.services[release].Spec.Ports)
	assert.Equal(t, "collector", single.services[release].Spec.Selector["app.kubernetes.io/component"])
	assert.Equal(t, "gateway", kafka.services[release].Spec.Selector["app.kubernetes.io/component"])
}

// The writers' autoscaler uses their own group and topic, and never sets more replicas than partitions.
func TestWritersScaleOnTheirLag(t *testing.T) {
	m := valueSet(t, "kafka")
	scaler := m.scalers[release+"-writer"]
	assert.Equal(t, int32(12), scaler.Spec.MaxReplicas)
	match := scaler.Spec.Metrics[0].External.Metric.Selector.MatchLabels
	fill := strings.NewReplacer("${env:OTELCOL_KAFKA_TOPIC_PREFIX:-dify}", "mine")
	writer := fill.Replace(m.configs[release+"-writer"].Data["writer.yaml"])
	assert.Contains(t, writer, "group_id: "+match["consumergroup"]+"\n")
	assert.Contains(t, writer, `topics: ["`+match["topic"]+`"]`)
}

// A Job is immutable, so each upgrade replaces it, as a hook of Helm.
func TestTopicsAreCreatedAfterEachUpgrade(t *testing.T) {
	m := valueSet(t, "kafka")
	assert.Equal(t, map[string]string{
		"helm.sh/hook": "post-install,post-upgrade", "helm.sh/hook-delete-policy": "before-hook-creation",
	}, m.topics.Annotations)
	env := m.environment(t, m.topics.Spec.Template.Spec.Containers[0])
	assert.Equal(t, "mine", env["OTELCOL_KAFKA_TOPIC_PREFIX"])
	script := m.configs[release+"-topics"].Data["topics.sh"]
	for name := range env {
		if strings.HasPrefix(name, "OTELCOL_") {
			assert.Contains(t, script, name)
		}
	}
	assert.Nil(t, valueSet(t, "kafka-plain").topics)
}

// The pod that drains a claim differs from the pod that left it only in its claim, and a writer's in one more file.
func TestDrainIsAWriterOrAGateway(t *testing.T) {
	for set, role := range map[string]string{"kafka": "writer", "kafka-plain": "gateway"} {
		m := valueSet(t, set)
		require.NotNil(t, m.drain)
		like := m.templates()[role].Spec.Containers[0]
		drain := m.drain.Spec.Containers[0]
		if role == "writer" {
			like.Args = append(like.Args, "--config="+configFolder+"drain.yaml")
		}
		assert.Equal(t, like.Args, drain.Args)
		assert.Equal(t, like.Env, drain.Env)
		assert.Equal(t, like.VolumeMounts, drain.VolumeMounts)
		assert.Equal(t, like.Resources, drain.Resources)
		assert.NotContains(t, portNames(drain), "otlp-http", "nothing sends to it")
		assert.Equal(t, m.templates()[role].Spec.SecurityContext, m.drain.Spec.SecurityContext)
	}
}

// The limit for Go's heap follows the container's: the image's own is for 1 GiB.
func TestMemoryLimitFollowsTheContainers(t *testing.T) {
	for memory, want := range map[string]string{"1Gi": "819MiB", "3Gi": "2457MiB", "1500Mi": "1200MiB"} {
		m := valueSet(t, "single", parse(t, "collector: {resources: {limits: {memory: %s}}}", memory))
		assert.Equal(t, want, m.environment(t, m.templates()["collector"].Spec.Containers[0])["GOMEMLIMIT"])
	}
}
