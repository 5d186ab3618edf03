package nextflow_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/provider/nextflow"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestTheEscapedFormReachesATaskByteForByteAndIsNotExecuted(t *testing.T) {
	component.Command(t, "shells", "bash")
	random, longest := 100_000, 4
	if testing.Short() {
		random, longest = 5_000, 2
	}
	plain := append(strung("a\"\\`$'! ()", longest), hostile...)
	plain = append(plain, strung("a\\$\"\x01\x7f", longest+1)...) // control characters that are marks to bash
	plain = append(plain, large...)
	for b := rune(1); b < 0x250; b++ {
		if b != '\n' && b != '\r' {
			plain = append(plain, string(b), "a"+string(b)+"b", string(b)+"\\"+string(b)+"\"")
		}
	}
	throughTasks(t, nextflow.Store{Form: nextflow.Escaped}, plain)

	plain = plain[:0]
	for range random {
		plain = append(plain, randomText())
	}
	throughTasks(t, nextflow.Store{Form: nextflow.Escaped}, plain)
}

func TestWhatIsWrittenUnharmedReachesATaskByteForByte(t *testing.T) {
	component.Command(t, "shells", "bash")
	v0 := name(t, "V0")
	random := 20_000
	if testing.Short() {
		random = 2_000
	}
	s := nextflow.Store{Form: nextflow.Unharmed}
	var plain []string
	for len(plain) < random {
		// Of random text little has no quote.
		text := strings.Map(func(r rune) rune {
			if r == '"' || r == '`' {
				return '\\'
			}
			return r
		}, randomText())
		if s.Carries(v0, one(t, text)) == nil {
			plain = append(plain, text)
		}
	}
	throughTasks(t, s, plain)
}

// TestUnharmedRefusesOnlyWhatATaskWouldNotGet compares the rule with bash, both ways: each
// value alone, since a harmful one takes what follows with it. A backslash before a
// dollar sign or a control character is refused although bash may not mind.
func TestUnharmedRefusesOnlyWhatATaskWouldNotGet(t *testing.T) {
	component.Command(t, "shells", "bash")
	longest := 3
	if testing.Short() {
		longest = 2
	}
	plain := append(strung("a\"\\`$ ", longest), strung("a\\\x01\x7f\t\n", longest-1)...)
	plain = append(plain, hostile...)
	plain = append(plain, "a\nb", "a\n", "\n", "\x00", "a\x00b")
	v0 := name(t, "V0")
	cwd := t.TempDir()
	var script strings.Builder
	for i, p := range plain {
		var store bytes.Buffer
		if err := nextflow.WriteStore(&store, values(t, map[string]string{"V0": p})); err != nil {
			t.Fatal(err)
		}
		write(t, fmt.Sprintf("%s/f%d", cwd, i), nextflowFile(t, store.Bytes()))
		fmt.Fprintf(&script, "(PATH=$programs; %s printf %%s \"$V0\" >g%d) 2>/dev/null\n", strings.ReplaceAll(task([]string{"V0"}, fmt.Sprintf("f%d", i)), "\n", "; "), i)
	}
	// What a value runs must not find anything but what the snippet needs.
	programs := t.TempDir()
	for _, p := range []string{"cat", "grep", "touch"} {
		if err := os.Symlink(component.Command(t, "shells", p), programs+"/"+p); err != nil {
			t.Fatal(err)
		}
	}
	write(t, cwd+"/run", []byte("programs="+programs+"\n"+script.String()))
	cmd := exec.Command("bash", "run")
	cmd.Dir = cwd
	_ = cmd.Run() // the last value's fate
	cautious := regexp.MustCompile(`\\[$\x00-\x1f\x7f]`)
	harmed := 0
	for i, p := range plain {
		got, err := os.ReadFile(fmt.Sprintf("%s/g%d", cwd, i))
		exact := err == nil && string(got) == p
		refused := nextflow.Store{Form: nextflow.Unharmed}.Carries(v0, one(t, p))
		if exact != (refused == nil) && !(exact && cautious.MatchString(p)) {
			t.Errorf("value %d of %d bytes arrives as it is: %t; and is said to: %v", i, len(p), exact, refused)
		}
		if !exact {
			harmed++
		}
	}
	t.Logf("%d of %d values are harmed", harmed, len(plain))
}

func TestWhatNoFormCarriesIsRefusedByNameAndRule(t *testing.T) {
	for _, c := range []struct {
		plain, rule string
		forms       []nextflow.Form
	}{
		{"a\nb", "line feed", []nextflow.Form{nextflow.Unharmed, nextflow.Escaped}},
		{"a\"b\n", "line feed", []nextflow.Form{nextflow.Unharmed, nextflow.Escaped}},
		{"a\rb", "carriage return", []nextflow.Form{nextflow.Unharmed, nextflow.Escaped}},
		{"a\x00b", "NUL", []nextflow.Form{nextflow.Unharmed, nextflow.Escaped}},
		{"a\xffb", "UTF-8", []nextflow.Form{nextflow.AsIs, nextflow.Unharmed, nextflow.Escaped}},
		{"a\"b", "escaped", []nextflow.Form{nextflow.Unharmed}},
		{"x OTHER=y", "NAME= of another", []nextflow.Form{nextflow.Unharmed, nextflow.Escaped}},
	} {
		all := values(t, map[string]string{"AB": c.plain, "OTHER": "fine"})
		for _, form := range []nextflow.Form{nextflow.AsIs, nextflow.Unharmed, nextflow.Escaped} {
			want := strings.Contains(fmt.Sprint(c.forms), fmt.Sprint(form))
			var invalid *secrets.InvalidError
			err := nextflow.Store{Form: form}.Check(all)
			alone := nextflow.Store{Form: form}.Carries(name(t, "AB"), all[name(t, "AB")], name(t, "CD"), name(t, "OTHER"))
			if (alone != nil) != want || alone != nil && "AB: "+alone.Error() != err.Error() {
				t.Errorf("%s, form %d: alone %v", c.rule, form, alone)
			}
			if refused := errors.As(err, &invalid) && invalid.Field == "value" && strings.HasPrefix(err.Error(), "AB: ") &&
				strings.Contains(invalid.Rule, c.rule); refused != want || !want && err != nil {
				t.Errorf("%s, form %d: %v", c.rule, form, err)
			}
			var file bytes.Buffer
			if err := (nextflow.Store{Form: form}).Write(&file, all); (err != nil) != want || want && file.Len() > 0 {
				t.Errorf("%s, form %d: %d bytes were written: %v", c.rule, form, file.Len(), err)
			}
		}
	}
}

func TestAValueMayHoldItsOwnNameAndThoseThatAreNotStaged(t *testing.T) {
	ab, plain := name(t, "AB"), "AB=x OTHER=y "+rand.Text()
	for _, form := range []nextflow.Form{nextflow.Unharmed, nextflow.Escaped} {
		s := nextflow.Store{Form: form}
		if err := errors.Join(s.Carries(ab, one(t, plain), ab, name(t, "CD")), s.Check(values(t, map[string]string{"AB": plain, "CD": "x"}))); err != nil {
			t.Errorf("form %d: %v", form, err)
		}
	}
}

func TestAllThatIsRefusedIsToldAtOnce(t *testing.T) {
	err := nextflow.Store{Form: nextflow.Escaped}.Check(values(t, map[string]string{"AB": "a\nb", "CD": "ok", "EF": "g\rh", "RANDOM": "1"}))
	for _, want := range []string{"AB: value: ", "EF: value: ", "RANDOM: name: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told: %v", want, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "CD") {
		t.Error(err)
	}
}

func TestWhatThePipelineReadsItselfIsNotWrittenEscaped(t *testing.T) {
	ab := name(t, "AB")
	s := nextflow.Store{Form: nextflow.Escaped, Read: []secrets.Name{ab}}
	var invalid *secrets.InvalidError
	for _, plain := range []string{"a\"b", "a`b", "a\\", "\\$"} {
		if err := s.Carries(ab, one(t, plain)); !errors.As(err, &invalid) || !strings.Contains(invalid.Rule, "secrets.NAME") {
			t.Errorf("carries: %v", err)
		}
		if err := s.Write(&bytes.Buffer{}, values(t, map[string]string{"AB": plain})); !errors.As(err, &invalid) {
			t.Errorf("write: %v", err)
		}
		if err := s.Write(&bytes.Buffer{}, values(t, map[string]string{"CD": plain})); err != nil {
			t.Errorf("another name: %v", err)
		}
	}
	// What needs no escape is read as it is by both.
	for _, plain := range []string{"a b", "$x", "a\\b"} {
		var escaped, plainly bytes.Buffer
		all := values(t, map[string]string{"AB": plain})
		if err := errors.Join(s.Write(&escaped, all), nextflow.WriteStore(&plainly, all)); err != nil || escaped.String() != plainly.String() {
			t.Errorf("%d bytes and %d bytes: %v", escaped.Len(), plainly.Len(), err)
		}
	}
}

// TestNoValueThatIsCarriedHasItsLineSelectedForAnotherName compares the rule for
// NAME= in a value with grep, in both locales: what grep selects is refused, and
// what is refused is selected, but for a letter beyond ASCII before the name.
func TestNoValueThatIsCarriedHasItsLineSelectedForAnotherName(t *testing.T) {
	component.Command(t, "shells", "grep")
	befores := []string{"", " ", "x", "_", "0", "-", ".", "é", "€", "\"", "\\", "`", "$", "=", "AB=", "x AB"}
	afters := []string{"=", "=x", " =", "-=", "", "x=", "_="}
	for _, before := range befores {
		for _, after := range afters {
			for _, form := range []nextflow.Form{nextflow.Unharmed, nextflow.Escaped} {
				all := values(t, map[string]string{"XY": before + "AB" + after, "AB": "v"})
				var file bytes.Buffer
				if (nextflow.Store{Form: form}).Write(&file, all) == nil {
					for _, locale := range locales {
						if n := selected(t, nextflowFile(t, file.Bytes()), locale); n != 1 {
							t.Errorf("%s: %q AB %q is carried, and selects %d lines", locale, before, after, n)
						}
					}
					continue
				}
				if err := nextflow.WriteStore(&file, all); err != nil {
					t.Fatal(err)
				}
				if form == nextflow.Escaped && before != "é" && selected(t, nextflowFile(t, file.Bytes()), "C.UTF-8") != 2 {
					t.Errorf("%q AB %q is refused, and selects no other line", before, after)
				}
			}
		}
	}
}

func selected(t *testing.T, file []byte, locale string) int {
	t.Helper()
	cmd := exec.Command("grep", "-w", "-c", "-e", "AB=.*")
	cmd.Stdin = bytes.NewReader(file)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=" + locale}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscan(string(out), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func ExampleStore() {
	password, _ := secrets.ParseName("DRAGEN_PASSWORD")
	v, _ := secrets.NewValue([]byte(`two"quotes"`)) // from the workspace
	values := map[secrets.Name]secrets.Value{password: v}

	fmt.Println(nextflow.Store{Form: nextflow.Unharmed}.Check(values))
	fmt.Println(nextflow.Store{Form: nextflow.Escaped}.Check(values))
	fmt.Println(nextflow.Store{Form: nextflow.Escaped, Read: []secrets.Name{password}}.Check(values))
	// Output:
	// DRAGEN_PASSWORD: value: holds a quote, backtick or backslash that a task's shell would take for its own; stage it escaped, or by a file
	// <nil>
	// DRAGEN_PASSWORD: value: must be escaped for a task's shell, and the pipeline reads it as secrets.NAME too, which would see the escapes
}
