package redact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// logs makes what pipelines print, and what is to become of it.
type logs struct {
	rng     *rand.Rand
	secrets []planted
	in      bytes.Buffer
	want    bytes.Buffer
	done    int // occurrences planted
}

// planted is a secret and the ways in which it is printed.
type planted struct {
	name, value string
	ways        []way
}

// way is how a secret is printed: what is around it passes.
type way struct{ before, form, after string }

func (l *logs) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(l.rng.Uint32())
	}
	return b
}

func (l *logs) hex(n int) string { return hex.EncodeToString(l.bytes(n)) }

func (l *logs) pick(of ...string) string { return of[l.rng.IntN(len(of))] }

func (l *logs) word() string {
	return l.pick("sunshine", "align", "sample", "reference", "genome", "dragon", "coverage", "monkey", "variant", "index",
		"letmein", "password", "secret", "token", "market", "river", "winter", "quality", "branch", "python")
}

// jwt makes what looks like a signed token.
func (l *logs) jwt() string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"HS256"}`)) + "." + part(fmt.Appendf(nil, `{"sub":"%s","iat":%d}`, l.word(), l.rng.Uint32())) + "." + part(l.bytes(32))
}

func (l *logs) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: l.bytes(300)}))
}

// account makes what looks like a service account.
func (l *logs) account() string {
	all, err := json.MarshalIndent(map[string]string{
		"type": "service_account", "project_id": "proj-" + l.hex(3), "private_key_id": l.hex(20), "private_key": l.pem(),
		"token_uri": "https://oauth2.example/token", "auth_uri": "https://accounts.example/o/oauth2/auth",
	}, "", "  ")
	if err != nil {
		panic(err)
	}
	return string(all)
}

func newLogs(seed uint64) *logs {
	l := &logs{rng: rand.New(rand.NewPCG(seed, 3))}
	for i := range 50 {
		s := planted{name: fmt.Sprint("KEY_", i)}
		switch i % 5 {
		case 0: // as people choose them
			s.value = fmt.Sprintf("%s%s%d%s", strings.ToUpper(l.word()[:1]), l.word(), 1000+l.rng.IntN(9000), l.pick("!", "#", "$", "&1"))
		case 1:
			s.value = l.hex(16)
		case 2:
			s.value = l.jwt()
		case 3:
			s.value = l.pem()
		case 4:
			s.value = l.account()
		}
		s.ways = waysOf(s.value)
		l.secrets = append(l.secrets, s)
	}
	return l
}

// waysOf are ways in which programs print a value.
func waysOf(value string) []way {
	trimmed := strings.TrimSpace(value)
	lines := strings.Split(trimmed, "\n")
	encoded := base64.StdEncoding.EncodeToString([]byte("robot:" + trimmed))
	kept := (8*len("robot:"+trimmed) + 5) / 6
	inJSON, err := json.Marshal(trimmed)
	if err != nil {
		panic(err)
	}
	ways := []way{
		{"export KEY='", trimmed, "'"},
		{"Authorization: Basic cm9ib3Q6", encoded[8:kept], encoded[kept:]},
		{`{"level":"debug","value":"`, string(inJSON[1 : len(inJSON)-1]), `"}`},
		{"GET /api?key=", url.QueryEscape(trimmed), "&page=2"},
		{"bytes ", hex.EncodeToString([]byte(trimmed)), ""},
		{"Cannot parse ", strings.ReplaceAll(trimmed, "\n", " "), ""},
		{"colours \x1b[32m", trimmed[:len(trimmed)/2] + "\x1b[1m" + trimmed[len(trimmed)/2:], "\x1b[0m"},
		{"wrapped ", wrapped(encoded[8:kept], 76), ""},
	}
	var account struct {
		Key string `json:"private_key"`
	}
	if json.Unmarshal([]byte(value), &account) == nil {
		lines = strings.Split(account.Key, "\n")
	}
	if len(lines) > 3 {
		ways = append(ways, way{"> ", lines[len(lines)/2], ""})
	}
	return ways
}

func wrapped(s string, column int) string {
	var out strings.Builder
	for ; len(s) > column; s = s[column:] {
		out.WriteString(s[:column] + "\n")
	}
	return out.String() + s
}

// line writes a line without a secret.
func (l *logs) line(i int) {
	var s string
	switch l.rng.IntN(9) {
	case 0:
		s = fmt.Sprintf("[%s/%s] Submitted process > %s:%s (%s_%d)", l.hex(1), l.hex(3), strings.ToUpper(l.word()), strings.ToUpper(l.word()), l.word(), i)
	case 1:
		s = fmt.Sprintf("slurmstepd: error: *** JOB %d ON node%02d CANCELLED AT 2026-01-%02dT%02d:%02d:00 ***", l.rng.Uint32(), l.rng.IntN(99), 1+i%28, i%24, i%60)
	case 2:
		s = fmt.Sprintf("java.lang.IllegalStateException: %s %s\n\tat nextflow.processor.%s.run(%s.groovy:%d)\n\tat java.base/java.lang.Thread.run(Thread.java:840)",
			l.word(), l.word(), l.word(), l.word(), l.rng.IntN(900))
	case 3:
		s = fmt.Sprintf(`{"time":%d,"level":"info","msg":"%s %s","sha":"%s","type":"service_account","uri":"https://oauth2.example/token"}`, l.rng.Uint64(), l.word(), l.word(), l.hex(20))
	case 4:
		s = wrapped(base64.StdEncoding.EncodeToString(l.bytes(120)), 76)
	case 5:
		s = l.hex(32) + "  " + l.word() + ".fastq.gz"
	case 6:
		s = fmt.Sprintf("\x1b[32m%s\x1b[0m %s=%s%d \x1b[1;31m%s\x1b[0m", l.word(), l.word(), l.word(), l.rng.IntN(10000), l.word())
	case 7:
		s = "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(l.bytes(60)) + "\r\n-----BEGIN PRIVATE KEY-----\r"
	case 8:
		s = fmt.Sprintf("%s\r%3d%% done, %s", l.word(), i%100, strings.Repeat(" ", l.rng.IntN(40)))
	}
	l.in.WriteString(s + "\n")
	l.want.WriteString(s + "\n")
}

// plant writes a line with a secret.
func (l *logs) plant() {
	s := l.secrets[l.rng.IntN(len(l.secrets))]
	w := s.ways[l.rng.IntN(len(s.ways))]
	l.in.WriteString(w.before + w.form + w.after + "\n")
	l.want.WriteString(w.before + "<" + s.name + ">" + w.after + "\n")
	l.done++
}

func TestOfRealisticLogsExactlyWhatWasPlantedIsMasked(t *testing.T) {
	const blockSize = 1 << 20
	blocks, plants := 100, 10_000
	if testing.Short() {
		blocks, plants = 5, 500
	}
	l := newLogs(rand.Uint64())
	var pairs []string
	for _, s := range l.secrets {
		pairs = append(pairs, s.name+"="+s.value)
	}
	r := newRedactor(t, defaults, pairs...)
	var out bytes.Buffer
	w := r.Writer(&out)
	total := 0
	for block := range blocks {
		for i := 0; l.in.Len() < blockSize; i++ {
			if l.done < plants*(block+1)/blocks && l.rng.IntN(20) == 0 {
				l.plant()
			}
			l.line(i)
		}
		total += l.in.Len()
		for l.in.Len() > 0 {
			if _, err := w.Write(l.in.Next(1 + l.rng.IntN(64<<10))); err != nil {
				t.Fatal(err)
			}
		}
		if block == blocks-1 {
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		got, want := out.Bytes(), l.want.Bytes()
		if n := min(len(got), len(want)); !bytes.Equal(got[:n], want[:n]) {
			at := 0
			for got[at] == want[at] {
				at++
			}
			from := max(0, at-100)
			t.Fatalf("block %d: got\n%q\nwant\n%q", block, got[from:min(len(got), at+100)], want[from:min(len(want), at+100)])
		}
		n := min(out.Len(), l.want.Len())
		out.Next(n)
		l.want.Next(n)
	}
	if out.Len() > 0 || l.want.Len() > 0 {
		t.Errorf("%d bytes too many, %d too few", out.Len(), l.want.Len())
	}
	hits := 0
	for _, n := range r.Hits() {
		hits += int(n)
	}
	if total < blocks*blockSize || l.done != plants || hits != plants {
		t.Errorf("%d bytes, %d planted, %d masked", total, l.done, hits)
	}
}
