// Package redact masks the secrets of one launch in what the launch prints:
// streams, strings, slog records, and the output of commands.
//
// A [Redactor] is compiled from the values that a launch was given and shared by
// all of its streams. Each place where a value stands is replaced by a mark,
// "[secret:NAME]" unless the host chooses another. [Redactor.Hits] counts them: a
// hit is a leak that was caught, worth an alarm and a line in the audit log.
//
// # What is masked
//
// The forms of a value: its bytes as they are, without the white space around
// them, and what other programs make of them, such as base64 of something that
// holds it, JSON or a shell's quotes. [Form] lists them, and the host may choose.
// In base64 the characters that hold bits of the value beside others are masked with
// it, unless a line ends between them and the rest.
//
// A form of at least 8 bytes is also found broken: with line breaks and control
// sequences of a terminal (CSI, of up to 18 bytes) between its bytes, at most 32
// bytes of them at one place, or twice what it has there itself, and in all half
// the size of the longest form and 64. So it doesn't matter at which column a line
// was wrapped. Line breaks of a value's own may be LF, CRLF or missing. A mark takes
// the place of all of it. Only a break that comes after fewer than 4 bytes of a
// form, where it has none itself, makes these pass: else the end of most lines
// would have to be held back.
//
// A value of fewer than [Options].Token bytes is masked only where it stands as a
// whole token, with no letter, digit, "_" or rune beyond ASCII next to it, but for
// those that end an escape such as "\n" or "%3D" or a control sequence; and
// unbroken. One of fewer than [Options].Short bytes, or of which nothing else than
// white space is left, is not masked; [Redactor.Short] names those.
//
// What can't be found: a value that was compressed, encrypted or hashed, a part of
// one but for lines and strings that are forms of their own, one character a line,
// and whatever else no form describes. Masking lowers the risk of an accident. It is
// no defence against a program that wants to tell: whoever may use a secret can
// print it in a way that no redactor knows.
//
// All occurrences count, also those that overlap, lie inside each other, or
// overlap with themselves. Occurrences that share a byte make one run, and a run
// becomes one mark, so that the number of marks doesn't tell what lay beneath.
// Occurrences that merely touch stay two. A run is named by the occurrence that
// begins first, the longest of these, and of two secrets with equal forms by
// the lower name.
//
// A mark may not hold a form, or the output would hold one again. If any name's
// mark does, all names get "***" instead, and nothing if that holds one too. A
// form that only arises where a mark meets its surroundings is not looked for.
//
// # Streams
//
// What a [Writer] passes on does not depend on how the stream was cut into
// writes. It holds back only what it can't decide: the bytes from the first
// position on at which a form may have begun, never more than
// [Redactor.MaxHold]. A line that has ended, a prompt or a progress bar passes at
// once unless its last 4 bytes begin a form, or its last one does where no line
// break follows. [Writer.Flush] has what happens to the bytes held.
//
// # The end
//
// [Redactor.Close] wipes the forms. From then on nothing passes: [ErrClosed]
// from writers and log handlers, a bare mark from [Redactor.String]. Wiping is
// best effort, as it is for [secrets.Value].
//
// A Redactor, its writers and its handlers can't be printed: whatever formats,
// encodes or reflects on them finds addresses, neither forms nor held bytes.
//
// # Cost
//
// Writes of at least 64 bytes are searched by looking at few of them (Wu and
// Manber): the longer the shortest form, the fewer, and how many forms there are
// hardly matters. Where that turns out to be work, in a text that is made to
// nearly hold forms everywhere, and for smaller writes, an automaton reads each
// byte once (Aho and Corasick), whatever the text and the forms. With a form of
// less than 4 bytes there is only the automaton. A Writer keeps memory for about
// 100 KiB and MaxHold bytes, and up to 600 KiB after a text that is broken at every
// other byte, and allocates none once it has it.
//
// Compiling sorts the forms and makes a state of the automaton, of 22 bytes, for each
// byte that they do not share with the one before, anew with each [Redactor.Add],
// during which streams wait: a value of 32 hexadecimal digits has some 20 different
// forms of 2,000 bytes. docs/redaction.md
// has measurements.
package redact
