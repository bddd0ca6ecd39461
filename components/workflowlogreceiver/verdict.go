// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"errors"
	"reflect"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
)

var permanentType = reflect.TypeOf(consumererror.NewPermanent(errors.New("")))

// refusedForGood says whether every pipeline that refused did so for good. Several share a receiver, their errors come
// joined, and consumererror.IsPermanent is true of the whole when it is of one: the others would lose the data.
func refusedForGood(err error) bool {
	for err != nil {
		if reflect.TypeOf(err) == permanentType {
			return true
		}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			return allRefusedForGood(joined.Unwrap())
		}
		err = errors.Unwrap(err)
	}
	return false
}

func allRefusedForGood(errs []error) bool {
	for _, err := range errs {
		if !refusedForGood(err) {
			return false
		}
	}
	return len(errs) > 0
}

// remainder is the part of the records that was not taken, where one pipeline alone refused and says which.
func remainder(err error) (plog.Logs, bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		if part, ok := err.(consumererror.Logs); ok { //nolint:errorlint // errors.As would find a part among joined errors
			return part.Data(), true
		}
	}
	return plog.Logs{}, false
}
