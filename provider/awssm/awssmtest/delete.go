package awssmtest

import "time"

// delete deletes by force, or schedules. By force is not when: "Secrets Manager
// performs the actual deletion with an asynchronous background process", and "if
// you forcibly delete an already deleted or nonexistent secret, the operation does
// not return ResourceNotFoundException" (API_DeleteSecret).
func (o *operation) delete(t target) (any, *refusal) {
	f, s := o.f, o.find(t)
	if s != nil && f.refuse != nil && f.refuse(s.name) {
		return nil, o.denied(s.arn, explicit)
	}
	if !o.in.forced() {
		return o.schedule(s)
	}
	if s != nil && f.seen(f.slots[s.name], o.now, StaleDelete) == nil {
		s = nil
	}
	if s == nil {
		a := answered{ARN: o.resource(t), Name: t.name, DeletionDate: unix(o.now)}
		if t.arn == "" {
			a.ARN += "-" + random(6) // of none that there is, as nobody knows one
		}
		return a, nil
	}
	a := answerOf(s, "")
	a.DeletionDate = unix(o.now)
	if s.going {
		return a, nil
	}
	by := f.late(DeleteLater, o.signed, o.now)
	if by == 0 {
		f.set(s.name, nil, o.now)
		return a, nil
	}
	going := s.clone()
	going.going, going.deleted = true, o.now
	f.set(s.name, going, o.now)
	f.land(o.now.Add(by), func(at time.Time) {
		if there := f.there(s.name); there != nil && there.going && there.arn == s.arn {
			f.set(s.name, nil, at)
		}
	})
	return a, nil
}

// schedule starts the recovery window, of 30 days unless the request says
// otherwise. To do so twice is refused, which AWS does not document.
func (o *operation) schedule(s *secret) (any, *refusal) {
	switch {
	case s == nil:
		return nil, notFound
	case !s.deleted.IsZero():
		return nil, refuse("InvalidRequestException", "You tried to perform the operation on a secret that's currently marked deleted.")
	}
	days := int64(30)
	if o.in.RecoveryWindowInDays != nil {
		days = *o.in.RecoveryWindowInDays
	}
	end := o.now.Add(time.Duration(days) * 24 * time.Hour)
	o.f.schedule(s, end, o.now)
	a := answerOf(s, "")
	a.DeletionDate = unix(end)
	return a, nil
}
