// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"go.uber.org/zap"
)

const (
	// policyName is the id of the policy of the Index State Management plugin (ISM).
	policyName = "otelcol-dify-retention"
	// policyVersion goes up whenever the policy changes by more than its age.
	policyVersion = 1

	policyPath        = "/_plugins/_ism/policies/" + policyName
	policyDescription = "Deletes what the collector wrote when it is old."

	policyWhat = "retention policy \"" + policyName + "\""
)

// ApplyPolicy writes the policy that deletes the index of a day after this many days, unless an operator has changed
// it. Dead letters are never deleted: an operator has to look at them first.
func ApplyPolicy(ctx context.Context, exchange Exchange, days int, opts Options, logger *zap.Logger) error {
	logger = logger.With(
		zap.String("policy", policyName),
		zap.Int("version", policyVersion),
		zap.Int("retention_days", days),
	)
	status, response, err := exchange(ctx, Request{Method: http.MethodGet, Path: policyPath})
	if err != nil {
		return err
	}
	if withoutPlugin(status, response) {
		logger.Warn("OpenSearch has no index management plugin: nothing deletes old indices. Delete them by other means, " +
			"or set `setup::retention_days: 0`")
		return nil
	}
	found, err := readPolicy(status, response)
	if err != nil {
		return err
	}
	wanted := retention(days, opts)
	what := decidePolicy(found, wanted)
	switch what {
	case upToDate:
		logger.Debug("The retention policy is in place")
		return nil
	case keep:
		logger.Warn("The retention policy was changed by hand or by another version, and is left as it is; " +
			"delete it to get this version's")
		return nil
	}
	if err := putPolicy(ctx, exchange, found, wanted); err != nil {
		return err
	}
	logger.Info("The retention policy is written; it applies to indices that are created from now on",
		zap.String("because", string(what)))
	return nil
}

// withoutPlugin reports whether the REST layer does not know the path.
func withoutPlugin(status int, response []byte) bool {
	var parsed struct {
		Error string `json:"error"` // an object, if a handler responds
	}
	return status == http.StatusBadRequest && json.Unmarshal(response, &parsed) == nil &&
		strings.HasPrefix(parsed.Error, "no handler found")
}

// retention returns the policy without its mark. It has everything that the plugin would add, so that the plugin
// returns it unchanged.
func retention(days int, opts Options) object {
	const open, deleted = "open", "deleted"
	return object{
		"default_state": open,
		"states": []any{
			object{"name": open, "actions": []any{}, "transitions": []any{
				object{"state_name": deleted, "conditions": object{"min_index_age": fmt.Sprintf("%dd", days)}},
			}},
			object{"name": deleted, "transitions": []any{}, "actions": []any{
				object{"delete": object{}, "retry": object{"count": 3, "backoff": "exponential", "delay": "1m"}},
			}},
		},
		"ism_template": []any{
			object{"index_patterns": []any{workflowLogs, logs, spansOf(opts).pattern}, "priority": priority},
		},
	}
}

// installedPolicy is a policy as the plugin returns it.
type installedPolicy struct {
	SeqNo       int64  `json:"_seq_no"`
	PrimaryTerm int64  `json:"_primary_term"`
	Policy      object `json:"policy"`
}

// readPolicy reads the response to a GET. It returns nil without an error if there is no policy.
func readPolicy(status int, response []byte) (*installedPolicy, error) {
	switch status {
	case http.StatusNotFound:
		return nil, nil
	case http.StatusOK:
	default:
		return nil, failed(policyWhat, status, response)
	}
	var parsed installedPolicy
	if json.Unmarshal(response, &parsed) != nil || parsed.Policy == nil {
		return nil, fmt.Errorf("%s: a response that is not the plugin's", policyWhat)
	}
	return &parsed, nil
}

func decidePolicy(found *installedPolicy, wanted object) decision {
	if found == nil {
		return create
	}
	description, _ := found.Policy["description"].(string)
	_, left := cutMark(description)
	return decide(left, policyChecksum(found.Policy), policyVersion, policyChecksum(wanted))
}

// policyChecksum leaves out what the plugin adds, and the text with the mark.
func policyChecksum(policy object) string {
	return checksum(withoutAdded(policy))
}

// addedByPlugin are the keys that a policy has only once it is stored.
var addedByPlugin = map[string]bool{
	"description": true, "policy_id": true, "last_updated_time": true, "schema_version": true, "user": true,
}

func withoutAdded(value any) any {
	switch value := value.(type) {
	case object:
		kept := object{}
		for key, child := range value {
			if !addedByPlugin[key] && child != nil {
				kept[key] = withoutAdded(child)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(value))
		for i, child := range value {
			kept[i] = withoutAdded(child)
		}
		return kept
	default:
		return value
	}
}

// putPolicy replaces an older policy only if nobody changed it since it was read.
func putPolicy(ctx context.Context, exchange Exchange, found *installedPolicy, wanted object) error {
	path := policyPath
	if found != nil {
		path += fmt.Sprintf("?if_seq_no=%d&if_primary_term=%d", found.SeqNo, found.PrimaryTerm)
	}
	policy := maps.Clone(wanted)
	policy["description"] = withMark(policyDescription, mark{policyVersion, policyChecksum(wanted)})
	body, err := json.Marshal(object{"policy": policy})
	if err != nil {
		return err
	}
	status, response, err := exchange(ctx, Request{Method: http.MethodPut, Path: path, Body: body})
	if err != nil {
		return err
	}
	if status != http.StatusOK && status != http.StatusCreated {
		return failed(policyWhat, status, response)
	}
	return nil
}
