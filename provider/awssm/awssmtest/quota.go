package awssmtest

import (
	"strings"
	"time"
)

// DefaultQuota returns the quotas that AWS publishes for an account in a Region, in
// calls a second. Operations joined by + share one. CreateSecret, DeleteSecret,
// RestoreSecret, and the joint ones are from the user guide's table of 2023
// (reference_limits), ListSecrets and BatchGetSecretValue from its present one,
// GetSecretValue and DescribeSecret from the announcement of March 2025.
func DefaultQuota() map[string]float64 {
	return map[string]float64{
		"CreateSecret":              50,
		"DeleteSecret":              50,
		"RestoreSecret":             50,
		"TagResource+UntagResource": 50,
		"PutSecretValue+UpdateSecret+UpdateSecretVersionStage": 50,
		"ListSecrets":         100,
		"BatchGetSecretValue": 100,
		"GetSecretValue":      10_000,
		"DescribeSecret":      40_000,
	}
}

// bucket holds the calls that may be made at once: those of one second.
type bucket struct {
	rate   float64
	level  float64
	filled time.Time
}

func newBuckets(quota map[string]float64) map[string]*bucket {
	buckets := map[string]*bucket{}
	for joint, rate := range quota {
		b := &bucket{rate: rate, level: max(rate, 1)}
		for op := range strings.SplitSeq(joint, "+") {
			if _, known := operations[op]; !known || buckets[op] != nil {
				panic("awssmtest: a quota of " + op + ", which is no operation, is not modelled, or has one")
			}
			buckets[op] = b
		}
	}
	return buckets
}

// take takes one call from a bucket, if it has one. A nil bucket has all.
func (b *bucket) take(now time.Time) bool {
	if b == nil {
		return true
	}
	if !b.filled.IsZero() && now.After(b.filled) {
		b.level = min(max(b.rate, 1), b.level+now.Sub(b.filled).Seconds()*b.rate)
	}
	if b.filled.IsZero() || now.After(b.filled) {
		b.filled = now
	}
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}
