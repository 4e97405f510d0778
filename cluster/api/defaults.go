package api

import "math"

// value returns the value of a parameter of the action, or the default of its entry in the table where none was sent.
func (c *Call) value(name string) string {
	if v := c.Params.value(name); v != "" {
		return v
	}
	for i := range c.Action.Params {
		if spec := &c.Action.Params[i]; spec.Name == name {
			return spec.Default
		}
	}
	return ""
}

// integer is value of a checked integer or long parameter; 0 without a default.
func (c *Call) integer(name string) int64 {
	n, _ := parseDecimal(c.value(name), math.MaxInt64)
	return n
}
