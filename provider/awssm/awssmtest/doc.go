// Package awssmtest is AWS Secrets Manager of one account in one Region, in memory
// and on the wire, for tests.
package awssmtest
