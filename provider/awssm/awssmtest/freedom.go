package awssmtest

import "time"

// Freedom is what AWS may do or not.
type Freedom string

// The freedoms. What is late is so by less than Config.Late, counted from the time
// that the request is signed with; a look is stale only within Config.Late of the
// change that it does not show.
const (
	LandLate      Freedom = "land late"      // a create whose caller sees its connection reset has its effect only later
	Twice         Freedom = "twice"          // a create is delivered once more, later, even after a delete
	LostReply     Freedom = "lost reply"     // a call has its effect, and its caller sees the connection reset
	StaleDescribe Freedom = "stale describe" // DescribeSecret shows what was before the last change
	StaleList     Freedom = "stale list"     // so does ListSecrets
	StaleGet      Freedom = "stale get"      // so do GetSecretValue and BatchGetSecretValue
	StaleDelete   Freedom = "stale delete"   // a forced DeleteSecret misses a new secret, and reports success
	DeleteLater   Freedom = "delete later"   // what a forced DeleteSecret deletes goes only later, and its name is taken till then
	StillShown    Freedom = "still shown"    // and DescribeSecret shows no DeletedDate of it
	ShortPage     Freedom = "short page"     // a page of a list holds fewer than there are, or none, and a NextToken
	FilterUnion   Freedom = "filter union"   // of several filters one need match, not each
	Throttle      Freedom = "throttle"       // ThrottlingException: others call too
	InternalError Freedom = "internal error" // InternalServiceError, before the effect or after it
)

// takes reports whether the fake does what it is free to do. It is rarer than not,
// so that an even choice gets work done.
func (f *Fake) takes(what Freedom) bool { return f.config.Choose(what, 4) == 3 }

// late answers how long after now something has its effect, within Late of the
// request; zero if the fake does not use the freedom.
func (f *Fake) late(what Freedom, signed, now time.Time) time.Duration {
	const steps = 8
	most := signed.Add(f.config.Late).Sub(now)
	if most < steps || !f.takes(what) {
		return 0
	}
	return most * time.Duration(1+f.config.Choose(what+" by", steps-1)) / steps
}

// seen is what a look sees of a name: what is there or, where it may be and is
// stale, what was there before the last change.
func (f *Fake) seen(s *slot, now time.Time, what Freedom) *secret {
	if s == nil {
		return nil
	}
	if now.Sub(s.changed) < f.config.Late && f.takes(what) {
		return s.before
	}
	return s.now
}
