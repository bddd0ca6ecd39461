// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"errors"
	"reflect"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
)

var permanentType = reflect.TypeOf(consumererror.NewPermanent(errors.New("")))

// PermanentlyRejected reports whether every pipeline that returned an error returned a permanent one. Several
// pipelines may share a receiver, and their errors are joined. consumererror.IsPermanent reports true if any one of
// them is permanent; the other pipelines would then lose the data.
func PermanentlyRejected(err error) bool {
	for err != nil {
		if reflect.TypeOf(err) == permanentType {
			return true
		}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			return allPermanentlyRejected(joined.Unwrap())
		}
		err = errors.Unwrap(err)
	}
	return false
}

func allPermanentlyRejected(errs []error) bool {
	for _, err := range errs {
		if !PermanentlyRejected(err) {
			return false
		}
	}
	return len(errs) > 0
}

// remainder returns the records that were not accepted, if exactly one pipeline returned an error and that error
// carries them.
func remainder(err error) (plog.Logs, bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		if part, ok := err.(consumererror.Logs); ok { //nolint:errorlint // errors.As would find a part among joined errors
			return part.Data(), true
		}
	}
	return plog.Logs{}, false
}
