// Package redact masks the secrets of one launch in what the launch prints:
// streams, strings and slog records.
//
// A [Redactor] is compiled from the values that a launch was given and shared by
// all of its streams. Each place where a value stands is replaced by a mark,
// "[secret:NAME]" unless the host chooses another.
//
// # What is masked
//
// The forms of a value, which for now are its bytes as they are, but for the white
// space around them: no encoding, quoting, wrapping or part of them. A value shorter than [Options].Short bytes
// is not masked; [Redactor.Short] names those. Masking lowers the risk of an
// accident. It is no defence against a program that wants to tell: whoever may
// use a secret can print it in a way that no redactor knows.
//
// All occurrences count, also those that overlap, lie inside each other, or
// overlap with themselves. Occurrences that share a byte make one run, and a run
// becomes one mark, so that the number of marks doesn't tell what lay beneath.
// Occurrences that merely touch stay two. A run is named by the occurrence that
// begins first, the longest of these, and of two secrets with equal values by
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
// [Redactor.MaxHold]. A prompt or a progress bar that ends in no beginning of a
// form passes at once. [Writer.Flush] has what happens to the bytes held.
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
// 32 KiB and MaxHold bytes and allocates none once it has it. Compiling sorts the
// forms and makes a state of the automaton of about 22 bytes for each byte that
// they do not share with the one before, anew with each [Redactor.Add].
package redact
