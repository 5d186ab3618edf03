package doors_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// strict makes a package that does not load a failure.
const strict = true

// A door is a place of the exported API, as walk calls it, and why it may be:
//
//	secrets.Record.Sealed []byte                a field
//	secrets.NewValue returns secrets.Value      a result
//	secrets.Value.Reveal(use)(plain) []byte     what a callback is given
//	provider.Provider.Carries(1) secrets.Value  what an implementation is given
//
// To extend the tables, run the test: it prints the missing lines, but for the
// reason.
type door struct{ place, why string }

// valueDoors are all the places where a program can get a secrets.Value, or
// something made of values.
var valueDoors = []door{
	{"secrets.NewValue returns secrets.Value", "made of the caller's own plaintext"},
	{"crypto.Keyring.Open returns secrets.Value", "a door: whoever has the keyring and the record"},
	{"provider/stage.Config.Open returns map[secrets.Pin]secrets.Value", "set by the host; the openers are built from it"},
	{"provider.Opener returns map[secrets.Name]secrets.Value", "a door: what a driver's create asks for"},
	{"provider.Provider.Create(open) provider.Opener", "given to a driver, behind the fence"},
	{"provider.Withdrawer.Withdraw(open) provider.Opener", "given to a driver, behind the fence"},
	{"provider.Provider.Carries(1) secrets.Value", "given to a driver, for it to refuse what its platform can't hold"},
	{"provider.Neighbor.CarriesBeside(1) secrets.Value", "given to a driver, for it to refuse what is in another's way"},
	{"provider/awssm/fetch.Values returns map[secrets.Name]secrets.Value", "a door: what a run reads with its own role"},
	{"provider.Weigher.Weigh(1) secrets.Value", "given to a driver, for it to tell how much room it takes"},
}

// byteDoors are all the places where a program can get a slice of bytes, or read
// or be written one. No type tells plaintext from ciphertext, so that the reason
// has to. Text that is a string is not listed.
var byteDoors = []door{
	{"secrets.Value.Reveal(use)(plain) []byte", "plaintext: a door, lent for the call"},
	{"provider/nextflow.WriteStore(w).Write(p) []byte", "plaintext of values that the caller holds and could reveal itself"},
	{"provider/nextflow.Store.Write(w).Write(p) []byte", "plaintext of values that the caller holds and could reveal itself"},
	{"provider/nextflow.Scan(fsys).Open returns.Read(0) []byte", "room for a pipeline's sources"},

	{"crypto.Create(kek).EncryptWithContext(plaintext) []byte", "the keysets, to be wrapped by the host's KEK"},
	{"crypto.Create(kek).EncryptWithContext(associatedData) []byte", "public"},
	{"crypto.Create(kek).DecryptWithContext(ciphertext) []byte", "wrapped keysets"},
	{"crypto.Create(kek).DecryptWithContext(associatedData) []byte", "public"},
	{"crypto.Load(kek).EncryptWithContext(plaintext) []byte", "the keysets, to be wrapped by the host's KEK"},
	{"crypto.Load(kek).EncryptWithContext(associatedData) []byte", "public"},
	{"crypto.Load(kek).DecryptWithContext(ciphertext) []byte", "wrapped keysets"},
	{"crypto.Load(kek).DecryptWithContext(associatedData) []byte", "public"},
	{"crypto.Keyring.Rekey(kek).EncryptWithContext(plaintext) []byte", "the keysets, to be wrapped by the host's KEK"},
	{"crypto.Keyring.Rekey(kek).EncryptWithContext(associatedData) []byte", "public"},
	{"crypto.Keyring.Rekey(kek).DecryptWithContext(ciphertext) []byte", "wrapped keysets"},
	{"crypto.Keyring.Rekey(kek).DecryptWithContext(associatedData) []byte", "public"},
	{"crypto.FileKEK returns.EncryptWithContext returns []byte", "ciphertext"},
	{"crypto.FileKEK returns.DecryptWithContext returns []byte", "what the holder of the KEK wrapped: keysets, never a record's value"},
	{"crypto.Keyring.MAC returns.ComputeMAC returns []byte", "keyed digest"},
	{"crypto.KeysetStore.LoadKeysets returns []byte", "wrapped keysets"},
	{"crypto.KeysetStore.SaveKeysets(wrapped) []byte", "wrapped keysets"},
	{"secrets/storetest.Backend.LoadKeysets returns []byte", "wrapped keysets"},
	{"secrets/storetest.Backend.SaveKeysets(wrapped) []byte", "wrapped keysets"},
	{"secrets/storetest.Memory.LoadKeysets returns []byte", "wrapped keysets"},
	{"secrets/sqlstore.Store.LoadKeysets returns []byte", "wrapped keysets"},

	{"provider/awssm/fetch.Client.BatchGetSecretValue(1) *secretsmanager.BatchGetSecretValueInput", "ARNs"},
	{"provider/awssm/fetch.Client.BatchGetSecretValue returns *secretsmanager.BatchGetSecretValueOutput", "plaintext: AWS's answer, as the run's own client has it"},
	{"provider/awssm/fetch.Client.BatchGetSecretValue(2)(0) *secretsmanager.Options", "the host's own"},
	{"provider/awssm.Client.CreateSecret(1) *secretsmanager.CreateSecretInput", "plaintext: what a create is given goes to AWS by the host's client"},
	{"provider/awssm.Client.CreateSecret returns *secretsmanager.CreateSecretOutput", "an ARN"},
	{"provider/awssm.Client.CreateSecret(2)(0) *secretsmanager.Options", "the host's own"},
	{"provider/awssm.Client.DeleteSecret(1) *secretsmanager.DeleteSecretInput", "an ARN"},
	{"provider/awssm.Client.DeleteSecret returns *secretsmanager.DeleteSecretOutput", "an ARN"},
	{"provider/awssm.Client.DeleteSecret(2)(0) *secretsmanager.Options", "the host's own"},
	{"provider/awssm.Client.DescribeSecret(1) *secretsmanager.DescribeSecretInput", "an ARN"},
	{"provider/awssm.Client.DescribeSecret returns *secretsmanager.DescribeSecretOutput", "tags"},
	{"provider/awssm.Client.DescribeSecret(2)(0) *secretsmanager.Options", "the host's own"},
	{"provider/awssm.Client.ListSecrets(1) *secretsmanager.ListSecretsInput", "a prefix"},
	{"provider/awssm.Client.ListSecrets returns *secretsmanager.ListSecretsOutput", "names and tags"},
	{"provider/awssm.Client.ListSecrets(2)(0) *secretsmanager.Options", "the host's own"},
	{"provider/awssm/awssmtest.Fake.Client returns *secretsmanager.Client", "what a test sent to the fake"},
	{"provider/awssm/awssmtest.Fake.Client(more)(0) *secretsmanager.Options", "a test's own"},
	{"provider/awssm/awssmtest.Fake.HTTPClient returns *http.Client", "what a test sent to the fake"},
	{"provider/awssm.Driver.IAMPolicy returns []byte", "a policy"},
	{"provider/awssm.JobDefinition returns []byte", "names and ARNs"},

	{"secrets.Record.Sealed []byte", "ciphertext"},
	{"provider/stage.Run.Request []byte", "keyed digest"},
	{"provider/stage.Run.Chosen []byte", "keyed digest"},
	{"secrets/audit.Head.Sum []byte", "keyed digest"},
	{"secrets/audit.Head.MarshalText returns []byte", "a place and a keyed digest"},
	{"secrets/audit.MAC.ComputeMAC(data) []byte", "a place, a count and digests"},
	{"secrets/audit.MAC.ComputeMAC returns []byte", "keyed digest"},
	{"secrets/audit.MAC.VerifyMAC(mac) []byte", "keyed digest"},
	{"secrets/audit.MAC.VerifyMAC(data) []byte", "a place, a count and digests"},

	{"provider/providertest.Place.Exposed returns []byte", "what a driver under test shows, which may hold no value"},
	{"provider/providertest.Place.Holds(plain) []byte", "a value that a test made"},

	{"secrets.Value.Format(f).Write(b) []byte", "the mark"},
	{"secrets.Value.GobEncode returns []byte", "the mark"},
	{"secrets.Value.MarshalJSON returns []byte", "the mark"},
	{"secrets.Value.MarshalText returns []byte", "the mark"},
	{"secrets.Name.MarshalText returns []byte", "the name"},
	{"secrets.RunID.MarshalText returns []byte", "the id"},

	{"secrets/redact.Reader.Read fills p []byte", "masked output"},
	{"secrets/redact.Redactor.Bytes returns []byte", "masked output"},
	{"secrets/redact.Redactor.Reader(from).Read(p) []byte", "text to mask, which the host has"},
	{"secrets/redact.Redactor.Run(cmd).Stderr.Write(p) []byte", "masked output"},
	{"secrets/redact.Redactor.Run(cmd).Stdin.Read(p) []byte", "the command's own input, which the host has"},
	{"secrets/redact.Redactor.Run(cmd).Stdout.Write(p) []byte", "masked output"},
	{"secrets/redact.Redactor.Writer(w).Write(p) []byte", "masked output"},
}

func TestPlaintextLeavesByTheListedDoorsOnly(t *testing.T) {
	l := list(t)
	w, broken := l.doors()
	if len(l.packages) < 10 {
		t.Errorf("only %d packages were found: %v", len(l.packages), l.packages)
	}
	for path, why := range broken {
		if strict {
			t.Errorf("%s: %s", path, why)
		} else {
			t.Logf("passed over: %s: %s", path, why)
		}
	}
	check(t, "a secrets.Value", valueDoors, w.values, broken)
	check(t, "bytes", byteDoors, w.bytes, broken)
}

// check reports doors that are not listed, and lines of the list without a door.
func check(t *testing.T, what string, listed []door, found map[string]bool, broken map[string]string) {
	t.Helper()
	lines := map[string]bool{}
	for _, d := range listed {
		if lines[d.place] {
			t.Errorf("%q is listed twice", d.place)
		}
		if d.why == "" {
			t.Errorf("%q is listed without a reason", d.place)
		}
		lines[d.place] = true
		if !found[d.place] && (strict || broken[packageOf(d.place)] == "") {
			t.Errorf("%s: no such door, take it out of the list:\n\t%q", what, d.place)
		}
	}
	for _, place := range slices.Sorted(maps.Keys(found)) {
		if !lines[place] {
			t.Errorf("%s can come out by a door that is not listed:\n\t{%q, \"\"},", what, place)
		}
	}
}

// packageOf returns the import path of a place's package.
func packageOf(place string) string {
	path, _, _ := strings.Cut(place, ".")
	if path == "pipesecrets" {
		return module
	}
	return module + "/" + path
}
