module github.com/buildkite/agent/v3/pipesecretsbench

go 1.26.5

require github.com/buildkite/agent/v3 v3.138.0
