package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

const (
	textSize  = 1 << 20
	pieceSize = 32 << 10 // of a Write
	hitEvery  = 100      // lines
)

// log is a text with needles in it, and the same masked.
type log struct {
	text, masked []byte
	hits         int
}

// logOf makes size bytes of lines such as Nextflow, Slurm and programs on the JVM
// print, with one of the needles in each hundredth. It is the same for the same
// arguments. No hit lies across the end of a piece, because strings.Replacer and
// bytes.ReplaceAll don't see beyond it.
func logOf(seed uint64, size int, needles []string) log {
	lines, hits := rand.New(rand.NewPCG(seed, 2)), rand.New(rand.NewPCG(seed, 3))
	var l log
	for i, due := 0, false; len(l.text) < size; i++ {
		line := logLine(lines)
		due = due || i%hitEvery == hitEvery/2
		from := len(l.text) + len(line)
		if len(needles) == 0 || !due || from+2*needleSize > size || from/pieceSize != (from+2*needleSize)/pieceSize {
			l.add(line, "\n", "")
			continue
		}
		due = false
		l.add(line, "", "")
		l.add(hitBefore[hits.IntN(len(hitBefore))], needles[hits.IntN(len(needles))], mark)
		l.add("\n", "", "")
		l.hits++
	}
	tooMuch := len(l.text) - size
	l.text, l.masked = l.text[:size], l.masked[:len(l.masked)-tooMuch]
	return l
}

// add adds what stays as it is, and then something that is masked, if masked is
// not empty.
func (l *log) add(stays, then, masked string) {
	l.text = append(append(l.text, stays...), then...)
	if masked == "" {
		masked = then
	}
	l.masked = append(append(l.masked, stays...), masked...)
}

// pieces returns the text as it is written.
func pieces(text []byte, size int) [][]byte {
	var all [][]byte
	for len(text) > 0 {
		n := min(size, len(text))
		all, text = append(all, text[:n:n]), text[n:]
	}
	return all
}

// What stands before a value in a log. None is longer than a value.
var hitBefore = []string{" token=", " --api-key ", " export API_KEY=", " Bearer ", `, "secret": "`}

var (
	processes = []string{"ALIGN:BWA_MEM", "QC:FASTQC", "CALL:HAPLOTYPES", "TRIM_READS", "MERGE_BAM", "REPORT:SUMMARY", "INDEX:REFERENCE"}
	states    = []string{"PENDING", "RUNNING", "COMPLETING", "COMPLETED", "FAILED", "TIMEOUT"}
	levels    = []string{"DEBUG", "INFO", "INFO", "INFO", "WARN", "ERROR"}
	packages  = []string{"io.cluster.executor", "org.runner.task", "com.store.client.http", "java.util.concurrent", "org.runner.trace"}
	classes   = []string{"TaskPoller", "GridExecutor", "ChannelFactory", "RetryPolicy", "FilePorter", "TraceObserver"}
	methods   = []string{"submit", "poll", "handle", "invoke", "run", "await", "copyTo"}
	threads   = []string{"main", "Task submitter", "Task monitor", "FileTransfer-3", "Actor Thread 12"}
	messages  = []string{"waiting for the queue", "exit status is zero", "no such file yet, looking again", "output is complete", "cache is warm", "retrying after a timeout"}
)

// logLine returns one line, without its end.
func logLine(r *rand.Rand) string {
	var b bytes.Buffer
	of := func(all []string) string { return all[r.IntN(len(all))] }
	clock := fmt.Sprintf("%02d:%02d:%02d", r.IntN(24), r.IntN(60), r.IntN(60))
	switch n := r.IntN(20); {
	case n < 6:
		fmt.Fprintf(&b, "[%02x/%06x] Submitted process > %s (sample_%d)", r.IntN(256), r.IntN(1<<24), of(processes), r.IntN(500))
	case n < 9:
		fmt.Fprintf(&b, "Mar-%02d %s.%03d [%s] %-5s %s.%s - %s", 1+r.IntN(31), clock, r.IntN(1000), of(threads), of(levels), of(packages), of(classes), of(messages))
	case n < 11:
		fmt.Fprintf(&b, "slurmstepd: task %d of job %d on node%03d: %s", r.IntN(64), 100000+r.IntN(900000), r.IntN(400), of(messages))
	case n < 13:
		fmt.Fprintf(&b, "%9d  compute  %-24s  user%02d  %-10s  %d-%s  %d node%03d", 100000+r.IntN(900000), of(processes), r.IntN(40), of(states), r.IntN(3), clock, 1+r.IntN(8), r.IntN(400))
	case n < 16:
		fmt.Fprintf(&b, "\tat %s.%s.%s(%s.java:%d)", of(packages), of(classes), of(methods), of(classes), 1+r.IntN(900))
	case n < 17:
		fmt.Fprintf(&b, "Caused by: %s.%sException: %s (attempt %d)", of(packages), of(classes), of(messages), 1+r.IntN(5))
	case n < 18:
		fmt.Fprintf(&b, `{"time":"2026-03-%02dT%sZ","level":%q,"process":%q,"task":%d,"cpus":%d,"rss":%d,"hash":"%s"}`,
			1+r.IntN(28), clock, of(levels), of(processes), r.IntN(10000), 1+r.IntN(32), r.IntN(1<<34), draw(r, hexDigits, 32))
	case n < 19:
		fmt.Fprintf(&b, "executor >  slurm (%d)  [%3d%%] %d of %d, cached: %d %s", r.IntN(900), r.IntN(101), r.IntN(900), 900, r.IntN(50), of(processes))
	default:
		fmt.Fprintf(&b, "sha256 %s  work/%02x/%s/sample_%d.sorted.bam", draw(r, hexDigits, 64), r.IntN(256), draw(r, hexDigits, 30), r.IntN(500))
	}
	return b.String()
}
