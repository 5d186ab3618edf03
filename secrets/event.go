package secrets

import "time"

// Action is what an [Event] tells of.
type Action string

// The actions. Those from Launch to Receipt concern a run, those from Sweep an
// installation.
const (
	ActionCreate      Action = "create"
	ActionUpdate      Action = "update"
	ActionDelete      Action = "delete"
	ActionRevoke      Action = "revoke"
	ActionDeleteScope Action = "delete-scope"
	ActionGet         Action = "get"
	ActionList        Action = "list"
	ActionPreflight   Action = "preflight"
	ActionLaunch      Action = "launch"
	ActionUse         Action = "use"    // one secret's version goes to a run
	ActionStage       Action = "stage"  // one object was created on a platform
	ActionRemove      Action = "remove" // one object was seen gone, or could not be removed
	ActionAttach      Action = "attach"
	ActionRenew       Action = "renew"
	ActionComplete    Action = "complete"
	ActionReceipt     Action = "receipt"
	ActionSweep       Action = "sweep"
	ActionRewrap      Action = "rewrap"
	ActionAdopt       Action = "adopt"
	ActionHealth      Action = "health"
	ActionStuck       Action = "stuck"
	ActionQuarantine  Action = "quarantine" // one object was found that nobody answers for
	ActionDisown      Action = "disown"     // one object was given up that could not be removed
	ActionSeal        Action = "seal"       // the audit log was sealed
	ActionVerify      Action = "verify"     // the audit log was verified
)

// Outcome is how an action ended.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"
	Denied  Outcome = "denied"  // the caller may not
	Refused Outcome = "refused" // the caller may, but the request can't be met
	Failed  Outcome = "failed"  // something did not answer or broke
)

// Event is one line of the audit log: who did what to what, and how it ended.
// It never holds a value, nor text from outside that might quote one: Reason is
// one of the library's own phrases, or the host's word for how a run ended.
type Event struct {
	At      time.Time
	Caller  string // "user:ID", "service:LABEL" or "operator:LABEL"
	Action  Action
	Outcome Outcome
	Reason  string
	Scope   Scope
	Name    Name
	Pin     Pin
	Run     RunID
	Target  string // the target's name, for ActionStage and ActionRemove
}
