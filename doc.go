// Package pipesecrets gives a workflow launcher the whole life of a pipeline
// secret. A launcher is any service that starts Nextflow or similar pipelines
// for a team, on a cloud or an HPC cluster; the pipelines need licence keys, API
// tokens and passwords.
//
// A workspace keeps its secrets encrypted and write-only; each person may keep
// their own. At launch the right ones are chosen by precedence and staged into
// the platform's own secret manager for that one run. Tasks use them by name.
// Logs never show them. When the run ends, however it ends, nothing is left.
//
//	Create ──► sealed at rest ──► Preflight ──► Launch ──► task reads
//	Update       (crypto)        (precedence)  (staging)      │
//	Delete                                        ▲           ▼ redact.Writer
//	Revoke ───────────────────────────────────────┤         the log
//	                                              │
//	            Sweep ──► Complete ──► removed, verified, receipt
//
// [Service] is that life in calls; a host embeds one per process and installs it
// on a [Backend], such as secrets/sqlstore/sqlite, and any number of
// provider.Provider targets, such as provider/hpc. Every call takes an
// rbac.Caller, background work too, so that there is no way to forget who asks.
//
// # Plaintext
//
// Nothing that the Service returns holds a value. Plaintext leaves by four doors
// only: secrets.Value.Reveal, crypto.Keyring.Open, the provider.Opener that a
// driver is given, and the run's own side that reads what was staged.
//
// # During a run
//
// A run keeps the versions that it was launched with. Delete stops new use at
// once; sealed bytes stay with the last run that pins them, so that its logs can
// still be masked. Revoke also pulls a secret from the runs under way and says
// which. A run that has ended may keep what it has staged for a while, so that a task
// which failed can be run again (Ending.ReplayFor); after that there is nothing to run
// it with. A resumed or repeated run is a new run with a new id and resolves
// afresh, under the secrets of whoever launches it. A service account has no
// secrets of its own. A pipeline that is shared between workspaces uses those of
// the workspace it runs in.
//
// # Retry, cancel, crash
//
// Launch, Attach, Renew, Complete, Revoke and the operator's calls may be repeated;
// a change of a secret is told from its repetition by the version. A cancelled
// change of a secret has had its effect or not; what a cancelled or failed Launch
// had staged is removed under a context of its own; what a cancelled Complete or
// Revoke had left to do, the sweep does. A process may die at any point, and
// another one goes on from the ledger: Attach masks the logs again, Complete
// removes, and Sweep, which a host must call now and then, finds whatever nobody
// completed.
//
// # The limits
//
// The right to use is the right to read: whoever chooses what a pipeline runs
// can print what it is given. Root, processes of the same user, backups and
// snapshots, and transformed output are out of reach. SECURITY.md has the whole
// threat model.
package pipesecrets
