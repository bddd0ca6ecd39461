// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difysemconv

import "strings"

// editions maps the suffix of Dify's environment name to the edition. Up to 1.16.1, a self-hosted Dify uses
// SELF_HOSTED.
var editions = []struct{ suffix, edition string }{
	{"-SELF_HOSTED", "COMMUNITY"},
	{"-COMMUNITY", "COMMUNITY"},
	{"-ENTERPRISE", "ENTERPRISE"},
	{"-CLOUD", "CLOUD"},
}

// SplitEnvironment splits <environment>-<edition>, as Dify writes it. A name without a known edition is returned as
// the environment, with an empty edition.
func SplitEnvironment(name string) (environment, edition string) {
	for _, e := range editions {
		if environment, found := strings.CutSuffix(name, e.suffix); found && environment != "" {
			return environment, e.edition
		}
	}
	return name, ""
}
