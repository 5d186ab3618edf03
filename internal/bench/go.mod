module github.com/pipesecrets/pipesecrets/internal/bench

go 1.26.5

require (
	github.com/buildkite/agent/v3/pipesecretsbench v0.0.0
	github.com/pipesecrets/pipesecrets v0.0.0
	gitlab.com/gitlab-org/gitlab-runner/common/buildlogger/pipesecretsbench v0.0.0
)

require (
	github.com/buildkite/agent/v3 v3.138.0 // indirect
	gitlab.com/gitlab-org/gitlab-runner v1.11.1-0.20260903214710-fc1f1862bd91 // indirect
)

replace (
	github.com/buildkite/agent/v3/pipesecretsbench => ./buildkite
	github.com/pipesecrets/pipesecrets => ../..
	gitlab.com/gitlab-org/gitlab-runner/common/buildlogger/pipesecretsbench => ./gitlab
)
