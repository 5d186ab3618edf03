package secrets_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// The rules of a name.
const (
	length = "must be 2 to 100 bytes"
	first  = "must begin with a letter or an underscore"
	char   = "may hold only letters, digits and underscores"
	double = "may not hold two underscores in a row"
	units  = "may not alternate so often between underscores and other characters"
)

var validNames = append(strings.Fields(`
	ab AB aB A1 a0 z9 _a _A _1 _9 a_ Z_ A_1 A_b _a_ _1_ a_b_c A1B2C3 a1_b2_c3_
	DB_PASSWORD db_password API_KEY2 MyToken TOKEN_2024_01 x_1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
	_x_x_x_x_x _0_0_0 FASTQ_BUCKET_READER sample42 Q_ q0 _Q null true nil PATHS path Path
	A_B_C_D_E_F_G a1b_2c3_d4 Zz Z9 z_9 _Z _z9 AZ az a9_Z Token_ _token
`),
	"A"+strings.Repeat("b", 99),                      // 100 bytes, one unit
	"_"+strings.Repeat("7", 99),                      // 100 bytes, one unit
	"A"+strings.Repeat("_b", 24)+"_",                 // 49 units
	"_"+strings.Repeat("b_", 24)+"b",                 // 49 units
	"A"+strings.Repeat("_bc", 24)+"_",                // 49 units
	"A"+strings.Repeat("_bcd", 24)+"_",               // 49 units, 98 bytes
	"AA"+strings.Repeat("_b", 24),                    // 49 units: what follows the first A is one
	strings.Repeat("a", 51)+strings.Repeat("_b", 24), // 49 units, 99 bytes
)

var invalidNames = []struct {
	rule  string
	names []string
}{
	{length, []string{
		"", "a", "_", "1", "\xc3", "\x00",
		"A" + strings.Repeat("b", 100), strings.Repeat("_", 101), strings.Repeat("a", 1<<20), strings.Repeat("\xff", 101),
		"A" + strings.Repeat("_b", 50),
	}},
	{first, []string{
		"1a", "9_", "0A", "-a", " a", "\ta", "\na", ".a", "$a", "/a", "=a", "@a", "[a", "`a", "{a", "\x00a", "\x7fa", "\xffa",
		// Letters and digits elsewhere: e acute, Cyrillic a, full-width A, long s (which folds to s), Kelvin sign
		// (folds to k), Arabic one; then what is not seen: zero-width space, byte-order mark, combining acute.
		"\u00e9a", "\u0430b", "\uff21b", "\u017fa", "\u212aa", "\u0661a", "\u200ba", "\ufeffa", "\u0301a",
		"&&", "''", `""`, "\\x", "--", "1__", "?a", "*a", "~a", ":a", ";a", "|a", "^a",
	}},
	{char, []string{
		"a-b", "a b", "a.b", "a/b", "a\\b", "a:b", "a=b", "a$", "a'", `a"`, "a`", "a;", "a|", "a&", "a<", "a>", "a(", "a)", "a[", "a]",
		"a{", "a}", "a*", "a?", "a!", "a#", "a%", "a^", "a~", "a+", "a,", "a@", "a\x00", "a\x00b", "a\n", "a\r\n", "a\t", "a\v", "a ", "_ ",
		"a\x7f", "a\x80", "a\xff", "a\xc0\xaf",
		"a\u00e9", "a\u0430", "a\uff11", "a\u0661", "a\u017f", "a\u212a", "a\u200b", "a\u202eb", "a\u0301", "a\ufeff",
		"a\u203fb" /* undertie */, "a\uff3fb", /* full-width underscore */
		"a_-", "a_ _", "a_\n", "a\n_", "A$(id)",
		"A\nLD_PRELOAD=x", "DB-PASSWORD", "a%5f", "a_b c__d", "aZ[", "aZ@", "aZ`", "aZ{", "a0/", "a9:",
		"A" + strings.Repeat("b", 98) + "-", "A" + strings.Repeat("b", 98) + "\n",
	}},
	{double, []string{
		"__", "__a", "___", "a__", "a__b", "_a__", "A__B__C", "a_b__c", "_1__1", "a__-", "__-", "NXF__X", "PATH__",
		strings.Repeat("_", 100), "A" + strings.Repeat("b", 97) + "__", "A__" + strings.Repeat("b", 97),
	}},
	{units, []string{
		"A" + strings.Repeat("_b", 25),        // 50 units
		"_" + strings.Repeat("b_", 25),        // 50
		"AA" + strings.Repeat("_b", 24) + "_", // 50
		"A" + strings.Repeat("_b", 49),        // 98, 99 bytes
		"_" + strings.Repeat("b_", 49) + "b",  // 99, 100 bytes
		strings.Repeat("a", 50) + strings.Repeat("_b", 25),
	}},
}

func TestANameIsWhatNextflowAndTheSeqeraAPIBothAccept(t *testing.T) {
	cases := len(validNames)
	for _, s := range validNames {
		n, err := secrets.ParseName(s)
		if err != nil || n.String() != s || n.IsZero() {
			t.Errorf("%q: %v, %v", s, n, err)
		}
	}
	for _, group := range invalidNames {
		cases += len(group.names)
		for _, s := range group.names {
			n, err := secrets.ParseName(s)
			checkInvalid(t, s, err, "name", group.rule)
			if !n.IsZero() || n.String() != "" {
				t.Errorf("%q: refused, and yet the name %v", s, n)
			}
		}
	}
	if cases < 200 {
		t.Errorf("%d cases are listed; want at least 200", cases)
	}
}

// checkInvalid reports an error that is not an InvalidError of exactly this
// field and rule, or that can't be matched as documented.
func checkInvalid(t *testing.T, what string, err error, field, rule string) {
	t.Helper()
	var invalid *secrets.InvalidError
	switch {
	case !errors.As(err, &invalid) || !errors.Is(err, secrets.ErrInvalid):
		t.Errorf("%q: error %v; want an InvalidError", what, err)
	case errors.Is(err, secrets.ErrDestroyed) || errors.Is(err, secrets.ErrDecode):
		t.Errorf("%q: error %v matches other sentinels", what, err)
	case invalid.Field != field || invalid.Rule != rule || err.Error() != field+": "+rule:
		t.Errorf("%q: refused by %v; want %s: %s", what, err, field, rule)
	}
}

func TestTheNamesOfATableAreListedOnce(t *testing.T) {
	seen := map[string]bool{}
	note := func(s string) {
		if seen[s] {
			t.Errorf("%q is listed twice", s)
		}
		seen[s] = true
	}
	for _, s := range validNames {
		note(s)
	}
	for _, group := range invalidNames {
		for _, s := range group.names {
			note(s)
		}
	}
}

// reference is the rule as Nextflow writes it, without what Go's expressions
// can't say: `^[a-zA-Z_](?:[0-9A-Za-z]+|(_)(?!\1)){1,49}$`, never a leading "__",
// 2 to 100 bytes. The part (_)(?!\1) refuses an underscore after any underscore
// but the first character, which the leading "__" is about: together, no "__".
var reference = regexp.MustCompile(`^[a-zA-Z_](?:[0-9A-Za-z]+|_){1,49}$`)

func inReference(s string) bool {
	return len(s) >= 2 && len(s) <= 100 && !strings.Contains(s, "__") && reference.MatchString(s)
}

func FuzzParseName(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		n, err := secrets.ParseName(s)
		if want := inReference(s); (err == nil) != want {
			t.Fatalf("%q: error %v; the reference says %v", s, err, want)
		}
		if err == nil && n.String() != s {
			t.Fatalf("%q became %q", s, n)
		}
		var decoded secrets.Name
		if again := decoded.UnmarshalText([]byte(s)); again != err || decoded != n {
			t.Fatalf("%q: ParseName says %v, %v and UnmarshalText %v, %v", s, n, err, decoded, again)
		}
	})
}

func TestRefusingANameAllocatesNothing(t *testing.T) {
	for _, group := range invalidNames {
		for _, s := range group.names {
			text, n := []byte(s), secrets.Name{}
			if got := testing.AllocsPerRun(10, func() { _, sink = secrets.ParseName(s) }); got != 0 {
				t.Errorf("%.20q (%s): ParseName allocates %v times", s, group.rule, got)
			}
			if got := testing.AllocsPerRun(10, func() { sink = n.UnmarshalText(text) }); got != 0 {
				t.Errorf("%.20q (%s): UnmarshalText allocates %v times", s, group.rule, got)
			}
		}
	}
}

// sink keeps the compiler from leaving out what is measured.
var sink error

func TestANameGoesThroughJSONAndBack(t *testing.T) {
	type document struct {
		Name  secrets.Name
		Names []secrets.Name
		ByKey map[secrets.Name]int
	}
	for _, s := range validNames {
		n := name(t, s)
		in := document{n, []secrets.Name{n}, map[secrets.Name]int{n: 1}}
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`{"Name":%q,"Names":[%[1]q],"ByKey":{%[1]q:1}}`, s); string(text) != want {
			t.Errorf("%s; want %s", text, want)
		}
		var out document
		if err := json.Unmarshal(text, &out); err != nil || out.Name != n || out.Names[0] != n || out.ByKey[n] != 1 {
			t.Errorf("%s came back as %+v, %v", text, out, err)
		}
	}
}

func TestDecodingABadNameIsRefusedAndChangesNothing(t *testing.T) {
	for _, group := range invalidNames {
		for _, s := range group.names {
			if strings.ToValidUTF8(s, "") != s {
				continue // JSON can't carry it
			}
			text, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			n := name(t, "BEFORE")
			checkInvalid(t, s, json.Unmarshal(text, &n), "name", group.rule)
			if n.String() != "BEFORE" {
				t.Errorf("%q: refused, and yet the name became %v", s, n)
			}
		}
	}
}

func TestNamesAreOrderedByTheirBytes(t *testing.T) {
	ordered := []string{"A1", "AB", "AB1", "AB_", "ABc", "B0", "_a", "a1"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := name(t, a).Compare(name(t, b)), min(1, max(-1, i-j)); got != want {
				t.Errorf("Compare(%s, %s) = %d; want %d", a, b, got, want)
			}
		}
	}
}

// name returns s as a Name.
func name(t testing.TB, s string) secrets.Name {
	t.Helper()
	n, err := secrets.ParseName(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return n
}
