package fetch_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/awssm/fetch"
	"github.com/pipesecrets/pipesecrets/secrets"
)

func TestSecretsAreReadTwentyACall(t *testing.T) {
	for n, calls := range map[int][]int{0: nil, 1: {1}, 20: {20}, 21: {20, 1}, 45: {20, 20, 5}} {
		s := newService()
		references, plain := s.secretOf(t, n)
		values, err := fetch.Values(t.Context(), s.client(), references)
		if err != nil {
			t.Errorf("%d: %v", n, err)
			continue
		}
		if diff := cmp.Diff(plain, reveal(t, values)); diff != "" {
			t.Errorf("%d: %s", n, diff)
		}
		if diff := cmp.Diff(calls, s.sizes()); diff != "" {
			t.Errorf("%d: calls: %s", n, diff)
		}
	}
}

func TestASecretThatHoldsThirtyValuesIsReadOnce(t *testing.T) {
	s := newService()
	plain := map[string]string{}
	for i := range 30 {
		plain[fmt.Sprintf("SECRET_%d", i)] = rand.Text() + "\n\"<\\>\u2028\U0001F512\x00"
	}
	text, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	arn := s.put(string(text))
	var references []provider.Reference
	for name := range plain {
		references = append(references, reference(t, name, arn+":"+name+"::"))
	}
	values, err := fetch.Values(t.Context(), s.client(), references)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, reveal(t, values)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{1}, s.sizes()); diff != "" {
		t.Errorf("calls: %s", diff)
	}
}

func TestOneSecretMayBeReadForSeveralNamesAsAWholeAndByKey(t *testing.T) {
	s := newService()
	canary := rand.Text()
	text := `{"KEY":"` + canary + `","other":"","":"x"}`
	arn := s.put(text)
	values, err := fetch.Values(t.Context(), s.client(), []provider.Reference{
		reference(t, "KEY", arn+":KEY::"), reference(t, "WHOLE", arn), reference(t, "AGAIN", arn),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"KEY": canary, "WHOLE": text, "AGAIN": text}
	if diff := cmp.Diff(want, reveal(t, values)); diff != "" {
		t.Error(diff)
	}
	values[parseName(t, "WHOLE")].Destroy()
	if err := values[parseName(t, "AGAIN")].Reveal(func([]byte) error { return nil }); err != nil {
		t.Errorf("names share a value: %v", err)
	}
}

func TestPagesMayBeShortOrEmpty(t *testing.T) {
	s := newService()
	references, plain := s.secretOf(t, 3)
	s.answer = func(call int, asked request) (int, any) {
		page := object{}
		if call > 1 && asked.NextToken != fmt.Sprint(call) {
			t.Errorf("call %d came with the token %q", call, asked.NextToken)
		}
		if len(asked.SecretIdList) != 3 {
			t.Errorf("call %d asked for %d secrets", call, len(asked.SecretIdList))
		}
		if call < 5 {
			page["NextToken"] = fmt.Sprint(call + 1)
		}
		if call > 1 && call < 5 {
			page["SecretValues"] = []object{s.held[asked.SecretIdList[call-2]]}
		}
		return http.StatusOK, page
	}
	values, err := fetch.Values(t.Context(), s.client(), references)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, reveal(t, values)); diff != "" {
		t.Error(diff)
	}
	if len(s.calls) != 5 {
		t.Errorf("%d calls", len(s.calls))
	}
}

func TestPagesWithoutEndAreNotFollowed(t *testing.T) {
	s := newService()
	references, _ := s.secretOf(t, 21)
	s.answer = func(call int, asked request) (int, any) {
		return http.StatusOK, object{"NextToken": fmt.Sprint(call)}
	}
	_, err := fetch.Values(t.Context(), s.client(), references)
	failed := failures(t, err)
	if len(failed) != 21 || failed["SECRET_20"] != provider.Internal || len(s.calls) != 40 {
		t.Errorf("%d calls, %v", len(s.calls), err)
	}
}

func TestAnAnswerThatIsNotWhatWasAskedForIsRefused(t *testing.T) {
	const (
		altered  = fetch.Altered
		internal = provider.Internal
	)
	type answers struct{ values, errors []object }
	with := func(e object, field string, value any) object {
		e[field] = value
		return e
	}
	for name, c := range map[string]struct {
		answer func(arn, other object) answers
		want   map[string]provider.Code
	}{
		"another ARN": {func(a, b object) answers {
			return answers{values: []object{with(a, "ARN", strings.ToLower(a["ARN"].(string))), b}}
		}, map[string]provider.Code{"SECRET_0": internal, "SECRET_1": internal}},
		"a partial ARN": {func(a, b object) answers {
			return answers{values: []object{with(a, "ARN", a["ARN"].(string)[:60]), b}}
		}, map[string]provider.Code{"SECRET_0": internal, "SECRET_1": internal}},
		"no ARN": {func(a, b object) answers {
			delete(a, "ARN")
			return answers{values: []object{a, b}}
		}, map[string]provider.Code{"SECRET_0": internal, "SECRET_1": internal}},
		"one more": {func(a, b object) answers {
			return answers{values: []object{a, b, entry("arn:aws:secretsmanager:eu-west-1:123456789012:secret:x-abcdef", "x")}}
		}, map[string]provider.Code{"SECRET_0": internal, "SECRET_1": internal}},
		"one twice": {func(a, b object) answers {
			return answers{values: []object{a, b, a}}
		}, map[string]provider.Code{"SECRET_0": internal, "SECRET_1": internal}},
		"one read and failed": {func(a, b object) answers {
			return answers{values: []object{a, b}, errors: []object{failure(a["ARN"].(string), "InternalServiceError")}}
		}, map[string]provider.Code{"SECRET_0": provider.Unavailable, "SECRET_1": internal}},
		"a failure that was not asked for": {func(a, b object) answers {
			return answers{values: []object{a, b}, errors: []object{failure("x", "AccessDeniedException")}}
		}, map[string]provider.Code{"SECRET_0": internal, "SECRET_1": internal}},
		"one less": {func(a, b object) answers {
			return answers{values: []object{b}}
		}, map[string]provider.Code{"SECRET_0": provider.Unavailable}},
		"binary": {func(a, b object) answers {
			delete(a, "SecretString")
			return answers{values: []object{with(a, "SecretBinary", base64.StdEncoding.EncodeToString([]byte(rand.Text()))), b}}
		}, map[string]provider.Code{"SECRET_0": altered}},
		"binary as well": {func(a, b object) answers {
			return answers{values: []object{with(a, "SecretBinary", base64.StdEncoding.EncodeToString([]byte(rand.Text()))), b}}
		}, map[string]provider.Code{"SECRET_0": altered}},
		"empty": {func(a, b object) answers {
			return answers{values: []object{with(a, "SecretString", ""), b}}
		}, map[string]provider.Code{"SECRET_0": altered}},
		"too long": {func(a, b object) answers {
			return answers{values: []object{with(a, "SecretString", strings.Repeat("x", secrets.MaxValue+1)), b}}
		}, map[string]provider.Code{"SECRET_0": altered}},
		"an older version": {func(a, b object) answers {
			return answers{values: []object{with(a, "VersionStages", []string{"AWSPREVIOUS"}), b}}
		}, map[string]provider.Code{"SECRET_0": altered}},
		"a version without stages": {func(a, b object) answers {
			delete(a, "VersionStages")
			return answers{values: []object{a, b}}
		}, map[string]provider.Code{"SECRET_0": altered}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService()
			references, _ := s.secretOf(t, 2)
			s.answer = func(_ int, asked request) (int, any) {
				a := c.answer(s.held[asked.SecretIdList[0]], s.held[asked.SecretIdList[1]])
				return http.StatusOK, object{"SecretValues": a.values, "Errors": a.errors}
			}
			values, err := fetch.Values(t.Context(), s.client(), references)
			if values != nil {
				t.Error("values are answered beside the error")
			}
			if diff := cmp.Diff(c.want, failures(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAValueMayFillASecret(t *testing.T) {
	s := newService()
	plain := strings.Repeat("x", secrets.MaxValue)
	values, err := fetch.Values(t.Context(), s.client(), []provider.Reference{reference(t, "LONG", s.put(plain))})
	if err != nil || reveal(t, values)["LONG"] != plain {
		t.Error(err)
	}
}

func TestAnObjectThatIsLongerThanASecretCanBeIsRefused(t *testing.T) {
	s := newService()
	text := `{"KEY":"x","other":"` + strings.Repeat("x", secrets.MaxValue) + `"}`
	_, err := fetch.Values(t.Context(), s.client(), []provider.Reference{reference(t, "KEY", s.put(text)+":KEY::")})
	if failures(t, err)["KEY"] != fetch.Altered {
		t.Errorf("got %v", err)
	}
}

func TestWhoHasGivenUpGetsNothing(t *testing.T) {
	for name, last := range map[string]int{"before": 0, "between calls": 1, "when all is read": 2} {
		t.Run(name, func(t *testing.T) {
			s := newService()
			references, _ := s.secretOf(t, 21)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if last == 0 {
				cancel()
			}
			values, err := fetch.Values(ctx, after{s.client(), func() {
				if len(s.calls) == last {
					cancel()
				}
			}}, references)
			if values != nil || err != context.Canceled {
				t.Errorf("got %v, %v", values, err)
			}
			if len(s.calls) != last {
				t.Errorf("%d calls", len(s.calls))
			}
		})
	}
}

// after is a client that does something after each answer.
type after struct {
	*secretsmanager.Client
	do func()
}

func (a after) BatchGetSecretValue(ctx context.Context, in *secretsmanager.BatchGetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	out, err := a.Client.BatchGetSecretValue(ctx, in, options...)
	a.do()
	return out, err
}

func TestReferencesAreCheckedBeforeAnyCall(t *testing.T) {
	s := newService()
	good := reference(t, "TOKEN", s.put(rand.Text()))
	for name, c := range map[string]struct {
		bad   provider.Reference
		field string
	}{
		"another kind": {provider.Reference{Name: parseName(t, "OTHER"), Kind: "file", Locator: good.Locator}, "kind"},
		"no kind":      {provider.Reference{Name: parseName(t, "OTHER"), Locator: good.Locator}, "kind"},
		"no name":      {provider.Reference{Kind: fetch.Kind, Locator: good.Locator}, "name"},
		"no name, key": {provider.Reference{Kind: fetch.Kind, Locator: good.Locator + ":::"}, "name"},
		"twice":        {good, "name"},
		"a path":       {reference(t, "OTHER", "/etc/passwd"), "valueFrom"},
	} {
		_, err := fetch.Values(t.Context(), s.client(), []provider.Reference{good, c.bad})
		var invalid *secrets.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if len(s.calls) != 0 {
		t.Errorf("%d calls", len(s.calls))
	}
}
