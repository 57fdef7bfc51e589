package batch

import (
	"cmp"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"vedette.dev/nlq/prose"
	"vedette.dev/rules/catalog"
)

// BenchmarkReply answers a question of middling length, the longest request and the
// longest text of testdata. What takes long is made once, and is not counted.
func BenchmarkReply(b *testing.B) {
	requests, texts := questions(b, "testdata/requests-*.jsonl"), questions(b, "testdata/texts-*.jsonl")
	c := catalog.Builtin().Without("Vedette")
	e := prose.Readers(c)
	for _, q := range []struct{ name, text string }{
		{"middling", requests[len(requests)/2]},
		{"longest", requests[len(requests)-1]},
		{"text", texts[len(texts)-1]},
	} {
		b.Run(q.name, func(b *testing.B) {
			reply(context.Background(), e, c, q.text)
			b.ReportAllocs()
			for b.Loop() {
				reply(context.Background(), e, c, q.text)
			}
		})
	}
}

// questions returns the questions of files, the shortest first.
func questions(b *testing.B, files string) (qs []string) {
	b.Helper()
	names, err := filepath.Glob(files)
	if err != nil || len(names) == 0 {
		b.Fatalf("%s: %v, %d files", files, err, len(names))
	}
	for _, name := range names {
		each(b, name, func(line []byte) {
			var q struct{ NL string }
			if err := json.Unmarshal(line, &q); err != nil {
				b.Fatalf("%s: %v", name, err)
			}
			qs = append(qs, q.NL)
		})
	}
	slices.SortFunc(qs, func(x, y string) int { return cmp.Or(len(x)-len(y), cmp.Compare(x, y)) })
	return qs
}
