// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// Two readers would count every run twice, and two metrics replicas would expose every series twice: neither is
// scaled, nor doubled during an update.
func TestWhatMustBeOneIsOne(t *testing.T) {
	m := render(t, folder())
	assert.Equal(t, int32(1), *m.sets["otelcol-reader"].Spec.Replicas)
	assert.Equal(t, int32(1), *m.metrics.Spec.Replicas)
	assert.Equal(t, appsv1.RecreateDeploymentStrategyType, m.metrics.Spec.Strategy.Type)
	for _, scaler := range m.scalers {
		assert.Equal(t, "StatefulSet", scaler.Spec.ScaleTargetRef.Kind)
		assert.Contains(t, []string{"otelcol-gateway", "otelcol-writer"}, scaler.Spec.ScaleTargetRef.Name)
		assert.Equal(t, scaler.Spec.ScaleTargetRef.Name, scaler.Name)
		assert.Nil(t, m.sets[scaler.Name].Spec.Replicas, "each apply would set it back")
		assert.GreaterOrEqual(t, *scaler.Spec.MinReplicas, int32(2))
		assert.Positive(t, *scaler.Spec.Behavior.ScaleDown.StabilizationWindowSeconds)
	}
	assert.Len(t, m.scalers, 2)
}

// A queue is kept when its pod is deleted or scaled down.
func TestClaimsStay(t *testing.T) {
	for name, set := range render(t, folder()).sets {
		require.Len(t, set.Spec.VolumeClaimTemplates, 1, name)
		policy := set.Spec.PersistentVolumeClaimRetentionPolicy
		assert.Equal(t, appsv1.RetainPersistentVolumeClaimRetentionPolicyType, policy.WhenDeleted, name)
		assert.Equal(t, appsv1.RetainPersistentVolumeClaimRetentionPolicyType, policy.WhenScaled, name)
	}
}

// The writers' autoscaler uses their own group and topic, and never sets more replicas than partitions.
func TestWritersScaleOnTheirLag(t *testing.T) {
	m := render(t, folder())
	settings := m.configs["otelcol-dify-settings"].Data
	fill := strings.NewReplacer("${env:OTELCOL_KAFKA_TOPIC_PREFIX:-dify}", settings["OTELCOL_KAFKA_TOPIC_PREFIX"])
	writer := fill.Replace(m.configs[collectorConfig(t, m)].Data["writer.yaml"])
	for _, scaler := range m.scalers {
		if scaler.Name != "otelcol-writer" {
			continue
		}
		partitions, err := strconv.Atoi(settings["OTELCOL_KAFKA_PARTITIONS"])
		require.NoError(t, err)
		assert.Equal(t, partitions, int(scaler.Spec.MaxReplicas))
		labels := scaler.Spec.Metrics[0].External.Metric.Selector.MatchLabels
		assert.Contains(t, writer, "group_id: "+labels["consumergroup"]+"\n")
		assert.Contains(t, writer, `topics: ["`+labels["topic"]+`"]`)
		return
	}
	require.Fail(t, "no scaler of the writers")
}

// The pod that drains a writer's claim differs from a writer only in its arguments and its name.
func TestDrainIsAWriter(t *testing.T) {
	m := drained(t, render(t, folder()))
	require.Len(t, m.pods, 1)
	drain, writer := m.pods[0].Spec, m.sets["otelcol-writer"].Spec.Template.Spec
	assert.Equal(t, append(writer.Containers[0].Args, "--config="+configFolder+"drain.yaml"), drain.Containers[0].Args)
	drain.Containers[0].Args = writer.Containers[0].Args
	assert.Equal(t, writer.Containers, drain.Containers)
	assert.Equal(t, writer.SecurityContext, drain.SecurityContext)
	assert.Equal(t, m.sets["otelcol-writer"].Namespace, m.pods[0].Namespace)
}

var example = regexp.MustCompile("(?s)```yaml\n(# kustomization.yaml\n.*?)```")

// The page's example of a kustomization renders, and its pods find the objects that they refer to.
func TestPagesKustomization(t *testing.T) {
	page, err := os.ReadFile(repo.Path("docs", "scale.md"))
	require.NoError(t, err)
	match := example.FindSubmatch(page)
	require.NotNil(t, match)
	dir := t.TempDir()
	base, err := filepath.Rel(resolved(t, dir), resolved(t, folder()))
	require.NoError(t, err)
	text := strings.ReplaceAll(string(match[1]), "../otelcol-dify/config/scale", base)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600))

	_, err = krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	require.NoError(t, err)
	m := render(t, dir)
	for _, name := range []string{"otelcol-gateway", "otelcol-reader"} {
		assert.Contains(t, m.sets[name].Spec.Template.Spec.Containers[0].Args, "--config="+configFolder+"auth.yaml")
	}
	for name, template := range m.templates() {
		if name == m.topics.Name {
			continue
		}
		container := template.Spec.Containers[0]
		assert.Contains(t, container.Args, "--config="+configFolder+"sasl.yaml", name)
		m.checkConfig(t, container, m.environment(t, container))
	}
}

func resolved(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	require.NoError(t, err)
	return path
}
