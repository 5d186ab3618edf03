package awssmtest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// amzDate is the form of X-Amz-Date.
const amzDate = "20060102T150405Z"

// valid is how long a signature is (IAM user guide, "Signature Version 4": the
// request must reach AWS within five minutes of its time stamp).
const valid = 5 * time.Minute

var (
	accessKey = regexp.MustCompile(`^\w{1,128}$`) // as IAM has them, but shorter ones too
	signature = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// authenticate checks that a request is signed as AWS wants it, by credentials that
// have not expired. The signature itself is not checked: the fake knows no keys.
func (f *Fake) authenticate(r *http.Request, c Call, now time.Time) *refusal {
	header := r.Header.Get("Authorization")
	if header == "" {
		return refuse("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	scope := strings.Split(parameterOf(header, "Credential"), "/")
	headers := strings.Split(parameterOf(header, "SignedHeaders"), ";")
	incomplete := func(what string) *refusal {
		return refuse("IncompleteSignatureException", "Authorization header requires %s.", what)
	}
	invalid := func(format string, args ...any) *refusal {
		return refuse("InvalidSignatureException", format, args...)
	}
	switch {
	case !strings.HasPrefix(header, "AWS4-HMAC-SHA256 "):
		return incomplete("the algorithm AWS4-HMAC-SHA256")
	case len(scope) != 5 || !accessKey.MatchString(scope[0]) || scope[4] != "aws4_request":
		return incomplete("a 'Credential' parameter of five parts")
	case !signature.MatchString(parameterOf(header, "Signature")):
		return incomplete("a 'Signature' parameter")
	case c.Signed.IsZero():
		return incomplete("an X-Amz-Date header")
	case scope[1] != c.Signed.Format("20060102"):
		return invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s'.", scope[1], c.Signed.Format("20060102"))
	case scope[2] != f.config.Region:
		return invalid("Credential should be scoped to a valid region.")
	case scope[3] != "secretsmanager":
		return invalid("Credential should be scoped to correct service: 'secretsmanager'.")
	}
	if !slices.Contains(headers, "host") {
		return invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(headers, name) {
			return invalid("'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	at := func(t time.Time) string { return t.UTC().Format(amzDate) }
	// X-Amz-Date has whole seconds, so the fake's clock is read in whole seconds too.
	clock := now.Truncate(time.Second)
	switch {
	case clock.Sub(c.Signed) > valid:
		return invalid("Signature expired: %s is now earlier than %s (%s - 5 min.)", at(c.Signed), at(clock.Add(-valid)), at(clock))
	case c.Signed.Sub(clock) > valid:
		return invalid("Signature not yet current: %s is still later than %s (%s + 5 min.)", at(c.Signed), at(clock.Add(valid)), at(clock))
	}
	if end, expires := f.expires[c.AccessKey]; expires && !now.Before(end) {
		return refuse("ExpiredTokenException", "The security token included in the request is expired")
	}
	return nil
}

// Expire lets the credentials of an access key expire at a time, by the fake's clock.
func (f *Fake) Expire(accessKey string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expires[accessKey] = at
}

// parameterOf is a parameter of an Authorization header.
func parameterOf(header, name string) string {
	_, header, _ = strings.Cut(header, " ")
	for part := range strings.SplitSeq(header, ",") {
		if key, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok && key == name {
			return value
		}
	}
	return ""
}
