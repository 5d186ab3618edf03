package providertest

// Sentences returns the names of all tests of the suite, below that of Run.
func Sentences() (all []string) {
	for _, g := range groups {
		for _, s := range g.tests {
			all = append(all, g.name+"/"+s.name)
		}
	}
	return all
}
