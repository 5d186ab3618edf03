package awssmtest

// Names are the names that the fake keeps.
func (f *Fake) Names() []string {
	f.enter()
	defer f.mu.Unlock()
	return f.names
}
