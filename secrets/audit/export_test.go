package audit

// Encode returns what the digest of a link covers.
func Encode(entries []Entry) []byte {
	var all []byte
	for _, e := range entries {
		all = appendEntry(all, e)
	}
	return all
}

// Text returns what the MAC of the link behind prev covers.
func Text(prev Head, entries []Entry) []byte {
	b := newBatch()
	b.reset(prev.Seq)
	for _, e := range entries {
		if err := b.add(e); err != nil {
			panic(err)
		}
	}
	return b.text(prev)
}

const BatchSize = batchSize
