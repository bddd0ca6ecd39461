// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package configcheck

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
)

type base struct {
	Timeout time.Duration `mapstructure:"timeout"`
}

type queue struct {
	Size  int           `mapstructure:"queue_size"`
	Flush time.Duration `mapstructure:"flush_timeout"`
}

type rule struct {
	Name string `mapstructure:"name"`
}

type config struct {
	base     `mapstructure:",squash"`
	Driver   string                         `mapstructure:"driver"`
	Interval time.Duration                  `mapstructure:"poll_interval"`
	Wait     time.Duration                  `mapstructure:"wait"`
	Queue    configoptional.Optional[queue] `mapstructure:"sending_queue"`
	Rules    []rule                         `mapstructure:"rules"`
	Labels   map[string]string              `mapstructure:"labels"`
	Other    *queue                         `mapstructure:"other"`
}

var ranges = map[string]Range{
	"poll_interval": {Min: 100 * time.Millisecond, Max: 5 * time.Minute},
	"wait":          {Min: time.Second, Max: 48 * time.Hour, Zero: "sends immediately"},
}

func valid() *config {
	return &config{Interval: time.Second}
}

func TestDurations(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*config)
		want   []string
	}{
		"valid": {func(*config) {}, nil},
		"at the ends": {func(c *config) {
			c.Interval, c.Wait = 100*time.Millisecond, 48*time.Hour
			c.Timeout = Year
		}, nil},
		"without a unit": {
			func(c *config) { c.Interval = 5 },
			[]string{"`poll_interval` is 5ns: must be from 100ms to 5m; a number without a unit is in ns: " +
				"add the unit, as in `poll_interval: 5s`"},
		},
		"too short": {
			func(c *config) { c.Interval = 99 * time.Millisecond },
			[]string{"`poll_interval` is 99ms: must be from 100ms to 5m"},
		},
		"too long": {
			func(c *config) { c.Interval = time.Hour },
			[]string{"`poll_interval` is 1h: must be from 100ms to 5m"},
		},
		"zero without a meaning": {
			func(c *config) { c.Interval = 0 },
			[]string{"`poll_interval` is 0s: must be from 100ms to 5m"},
		},
		"negative": {
			func(c *config) { c.Wait = -time.Second },
			[]string{"`wait` is -1s: must be from 1s to 48h; 0 sends immediately"},
		},
		"embedded, optional and in a pointer, all at once": {
			func(c *config) {
				c.Timeout = 30
				c.Queue = configoptional.Some(queue{Flush: 200})
				c.Other = &queue{Flush: 2 * Year}
			},
			[]string{
				"`timeout` is 30ns: must be from 1ms to 8760h; 0 leaves it off or to its default; a number without a unit is " +
					"in ns: add the unit, as in `timeout: 30s`",
				"`sending_queue::flush_timeout` is 200ns: must be from 1ms to 8760h; 0 leaves it off or to its default; " +
					"a number without a unit is in ns: add the unit, as in `flush_timeout: 200s`",
				"`other::flush_timeout` is 17520h: must be from 1ms to 8760h",
			},
		},
		"an optional section that is off": {
			func(c *config) { c.Queue = configoptional.Default(queue{Flush: 200}) }, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := valid()
			tt.change(cfg)
			err := Durations(cfg, ranges)
			if tt.want == nil {
				require.NoError(t, err)
			}
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	for name, tt := range map[string]struct {
		section map[string]any
		want    []string
	}{
		"valid":      {map[string]any{"driver": "a", "timeout": "1s", "labels": map[string]any{"any": "key"}}, nil},
		"misspelled": {map[string]any{"drivr": "a"}, []string{"`drivr` is not a key; did you mean `driver`?"}},
		"exchanged":  {map[string]any{"dirver": "a"}, []string{"`dirver` is not a key; did you mean `driver`?"}},
		"in an embedded struct": {
			map[string]any{"timeuot": "1s"}, []string{"`timeuot` is not a key; did you mean `timeout`?"},
		},
		"in an optional section": {
			map[string]any{"sending_queue": map[string]any{"queue_sise": 1}},
			[]string{"`sending_queue::queue_sise` is not a key; did you mean `sending_queue::queue_size`?"},
		},
		"in a list": {
			map[string]any{"rules": []any{map[string]any{"name": "a"}, map[string]any{"name": "b"}}},
			[]string{"`rules[1]::name` is not a key; did you mean `rules[1]::name`?"},
		},
		"in the wrong section": {
			map[string]any{"queue_size": 1}, []string{"`queue_size` is not a key; did you mean `sending_queue::queue_size`?"},
		},
		"nothing near": {
			map[string]any{"zzzzzzzz": 1}, []string{"`zzzzzzzz` is not a key: must be one of driver, labels, other, poll_"},
		},
		"all at once, with a wrong type": {
			map[string]any{"drivr": "a", "poll_intervall": "1s", "rules": "none of these"},
			[]string{
				"`drivr` is not a key; did you mean `driver`?", "`poll_intervall` is not a key; did you mean `poll_interval`?",
				"'rules'",
			},
		},
		"only a wrong type": {map[string]any{"poll_interval": "soon"}, []string{"poll_interval", "invalid duration"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := Decode(confmap.NewFromStringMap(tt.section), valid())
			if tt.want == nil {
				require.NoError(t, err)
			}
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestDecodeKeepsWhatIsValid(t *testing.T) {
	cfg := valid()
	require.Error(t, Decode(confmap.NewFromStringMap(map[string]any{"driver": "b", "drivr": "a"}), cfg))
	assert.Equal(t, "b", cfg.Driver)
}
