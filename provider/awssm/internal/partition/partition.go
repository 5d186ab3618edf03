// Package partition knows the partitions of AWS.
package partition

import "strings"

// partitions are those other than "aws", by how the names of their Regions begin.
var partitions = map[string]string{
	"cn-":      "aws-cn",
	"us-gov-":  "aws-us-gov",
	"us-iso-":  "aws-iso",
	"us-isob-": "aws-iso-b",
	"us-isof-": "aws-iso-f",
	"eu-isoe-": "aws-iso-e",
	"eusc-":    "aws-eusc",
}

// Of is the part of AWS that a Region belongs to, as ARNs name it.
func Of(region string) string {
	for prefix, partition := range partitions {
		if strings.HasPrefix(region, prefix) {
			return partition
		}
	}
	return "aws"
}
