package nextflow_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets/precedence"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestASecretIsNeededIfAnyUseOfItInTheRunNeedsIt(t *testing.T) {
	got := scanned(t, map[string]string{
		"a.nf": "process A {\n secret secrets.SOME_KEY ? 'SOME_KEY' : ''\n secret 'OTHER_KEY'\n script: ''\n}",
		"b.nf": "a = secrets.OTHER_KEY ?: ''\nb = secrets.READ_KEY",
		"nextflow.config": `profiles {
	standard { env.A = secrets.STANDARD_KEY }
	test { env.A = secrets.SOME_KEY }
}`,
	})
	for _, c := range []struct {
		profiles []string
		want     string
	}{
		{nil, "OTHER_KEY false declared true read true; READ_KEY false declared false read true; " +
			"SOME_KEY true declared true read false; STANDARD_KEY false declared false read true; "},
		{[]string{"test", "docker"}, "OTHER_KEY false declared true read true; READ_KEY false declared false read true; " +
			"SOME_KEY false declared true read true; "},
		{[]string{"docker"}, "OTHER_KEY false declared true read true; READ_KEY false declared false read true; " +
			"SOME_KEY true declared true read false; "},
	} {
		var needs string
		for _, n := range got.Needs(c.profiles...) {
			needs += fmt.Sprintf("%s %t declared %t read %t; ", n.Name, n.Optional, n.Declared, n.Read)
		}
		if diff := cmp.Diff(c.want, needs); diff != "" {
			t.Errorf("%q: %s", c.profiles, diff)
		}
	}
}

// A launcher scans the pipeline, asks for what it needs and no more, and tells the
// store what the pipeline reads itself.
func ExampleScan() {
	pipeline := fstest.MapFS{ // os.OpenRoot of a checkout
		"main.nf": {Data: []byte(`
process FETCH {
    secret secrets.NCBI_API_KEY ? 'NCBI_API_KEY' : ''
    secret 'NCBI_EMAIL'

    script:
    """
    efetch --email \$NCBI_EMAIL
    """
}`)},
		"nextflow.config": {Data: []byte(`
aws.secretKey = secrets.MY_SECRET_KEY
includeConfig params.site_config`)},
	}
	found, err := nextflow.Scan(pipeline, "main.nf", "nextflow.config")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, u := range found.Unknown {
		fmt.Println(u)
	}
	var request precedence.Request // of a Launch or a Preflight, which says what is missing
	store := nextflow.Store{Form: nextflow.Escaped}
	for _, n := range found.Needs() {
		request.Wants = append(request.Wants, precedence.Want{Name: n.Name, Optional: n.Optional})
		if n.Read {
			store.Read = append(store.Read, n.Name)
		}
	}
	for _, w := range request.Wants {
		fmt.Println(w.Name, "optional:", w.Optional)
	}
	fmt.Println("the pipeline reads", store.Read)

	key, _ := secrets.ParseName("MY_SECRET_KEY")
	value, _ := secrets.NewValue([]byte(`a"b`))
	fmt.Println(store.Carries(key, value))
	// Output:
	// nextflow.config:3: includes configuration from elsewhere, or by a path that only the run knows
	// MY_SECRET_KEY optional: false
	// NCBI_API_KEY optional: true
	// NCBI_EMAIL optional: false
	// the pipeline reads [MY_SECRET_KEY]
	// value: must be escaped for a task's shell, and the pipeline reads it as secrets.NAME too, which would see the escapes
}
