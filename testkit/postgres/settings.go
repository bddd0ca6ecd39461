// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"fmt"
	"io"
)

// settings is what the first process sends to the second.
type settings struct {
	Dir      string
	Port     uint32
	Password string
}

func (s settings) send(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%q %d %q\n", s.Dir, s.Port, s.Password)
	return err
}

func receive(r io.Reader) (s settings, err error) {
	_, err = fmt.Fscanf(r, "%q %d %q\n", &s.Dir, &s.Port, &s.Password)
	return s, err
}
