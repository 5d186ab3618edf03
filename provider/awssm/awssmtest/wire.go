package awssmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"
)

// most is more than any request of the API can have.
const most = 1 << 20

// outcome is what becomes of a call.
type outcome struct {
	status  int
	body    []byte
	at      time.Time
	refused bool // the connection
	reset   bool // the connection
	hang    bool // till the caller gives up
}

// serve is one call, from what arrives to what is answered. The error is that of
// the context.
func (f *Fake) serve(ctx context.Context, r *http.Request, body []byte) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return outcome{}, err
	}
	c, in, wrong := f.arrive(r, body)
	f.mu.Lock()
	down, decide, by := f.down, f.fault, f.answer
	f.mu.Unlock()
	if down {
		return outcome{refused: true}, nil
	}
	fault := None
	if decide != nil {
		fault = decide(c)
	}
	var own *refusal
	if by != nil {
		if code, message := by(c); code != "" {
			own = &refusal{code, message}
		}
	}
	if err := ctx.Err(); err != nil {
		return outcome{}, err // the caller has not waited for it
	}

	now := f.enter()
	defer f.mu.Unlock()
	o := outcome{at: now}
	finish := func(answer any, wrong *refusal) (outcome, error) {
		if wrong != nil {
			c.Code = wrong.code
			o.status = wrong.status()
			answer = map[string]string{"__type": wrong.code, "Message": wrong.message, "message": wrong.message}
		} else {
			o.status = http.StatusOK
		}
		o.body, _ = json.Marshal(answer) // of what it is made of, always possible
		c.Lost = o.reset || o.hang
		f.log(c)
		return o, nil
	}
	if own != nil {
		return finish(nil, own)
	}
	switch fault {
	case Throttled:
		return finish(nil, throttled)
	case Failed:
		return finish(nil, internal)
	case ResetBefore, HangBefore:
		o.reset, o.hang = fault == ResetBefore, fault == HangBefore
		return finish(nil, nil)
	case ResetAfter, HangAfter:
		o.reset, o.hang = fault == ResetAfter, fault == HangAfter
	}
	if wrong == nil {
		wrong = f.authenticate(r, c, now)
	}
	switch {
	case wrong != nil:
		return finish(nil, wrong)
	case f.takes(Throttle), !f.buckets[c.Op].take(now):
		return finish(nil, throttled)
	}
	after := fault == FailedAfter
	if f.takes(InternalError) {
		if f.config.Choose(InternalError+" after", 2) == 0 {
			return finish(nil, internal)
		}
		after = true
	}
	signed := c.Signed
	if signed.After(now) {
		signed = now
	}
	do := &operation{f: f, call: c, in: in, now: now, signed: signed, out: &o}
	answer, wrong := do.run()
	if wrong == nil && !o.reset && !o.hang && f.takes(LostReply) {
		o.reset = true
	}
	if after {
		wrong = internal
	}
	return finish(answer, wrong)
}

// arrive reads a request as far as it can be read, for the log too.
func (f *Fake) arrive(r *http.Request, body []byte) (Call, input, *refusal) {
	c := Call{At: f.config.Now()}
	c.Signed, _ = time.Parse(amzDate, r.Header.Get("X-Amz-Date"))
	c.AccessKey, _, _ = strings.Cut(parameterOf(r.Header.Get("Authorization"), "Credential"), "/")
	var in input
	op, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager.")
	fields, known := operations[op]
	c.Op = op
	// Never a value, and nothing of what may be one: the log is for the eyes of a test.
	if json.Unmarshal(body, &c.Fields) == nil {
		maps.DeleteFunc(c.Fields, func(name string, _ any) bool { // in any case, though other cases are refused
			return strings.EqualFold(name, "SecretString") || strings.EqualFold(name, "SecretBinary")
		})
	}
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/" && r.URL.Path != "" || r.URL.RawQuery != "":
		return c, in, refuse("UnknownOperationException", "The request is no POST to /")
	case r.Header.Get("Content-Type") != "application/x-amz-json-1.1":
		return c, in, refuse("UnknownOperationException", "The content is not application/x-amz-json-1.1")
	case !ok || !known:
		return c, in, refuse("UnknownOperationException", "The operation is unknown, or not modelled")
	}
	return c, in, decode(body, fields, &in)
}

// ServeHTTP implements http.Handler. A connection that is reset or refused is one
// that is closed without an answer.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	o, err := f.serve(r.Context(), r, body)
	if o.hang {
		<-r.Context().Done()
	}
	if err != nil || o.hang || o.reset || o.refused {
		panic(http.ErrAbortHandler)
	}
	for key, values := range o.header() {
		w.Header()[key] = values
	}
	w.WriteHeader(o.status)
	w.Write(o.body) // who does not listen has hung up
}

func (o outcome) header() http.Header {
	return http.Header{
		"Content-Type":     {"application/x-amz-json-1.1"},
		"Date":             {o.at.UTC().Format(http.TimeFormat)}, // of which the SDK learns how wrong its clock is
		"X-Amzn-Requestid": {newID()},
	}
}

func (o outcome) response(r *http.Request) *http.Response {
	return &http.Response{
		Status:        http.StatusText(o.status),
		StatusCode:    o.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        o.header(),
		Body:          io.NopCloser(bytes.NewReader(o.body)),
		ContentLength: int64(len(o.body)),
		Request:       r,
	}
}
