// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package repo finds files of this repository.
package repo

import (
	"os"
	"path/filepath"
)

// Path returns the absolute path of a file, given relative to the root of the repository. It searches upwards from
// the working directory, which is a test's package.
func Path(elements ...string) string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for root := dir; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "builder-config.yaml")); err == nil {
			return filepath.Join(append([]string{root}, elements...)...)
		}
		if root == filepath.Dir(root) {
			panic("no builder-config.yaml above " + dir)
		}
	}
}
