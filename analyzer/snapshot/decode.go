package snapshot

import (
	"bytes"
	"encoding/json"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// decode reads one JSON value as encoding/json does, in a third of the time.
// What it does not take goes to encoding/json, which has the last word: its
// errors are the ones that people know.
//
// The decoder is the one that is to become encoding/json/v2, told to mind what
// the first version minds. JSON is nine tenths of what a diagnosis has to read.
func decode[T any](data []byte) (T, error) {
	var v T
	if jsonv1.Unmarshal(data, &v) == nil {
		return v, nil
	}
	var again T
	err := json.Unmarshal(data, &again)
	return again, err
}

// An item is one object of a List as the file has it.
type item struct {
	raw []byte
	at  int // where it begins in the file
	named
}

// split cuts a List into its items in one pass, which also finds their names.
// It reports false for what is not plainly a List of objects; decoding says why.
func split(data []byte) ([]item, bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsonv1.DefaultOptionsV1())
	if dec.PeekKind() != '{' {
		return nil, false
	}
	_, _ = dec.ReadToken() // the brace just seen
	var all []item
	for dec.PeekKind() != '}' {
		key, err := dec.ReadToken()
		if err != nil {
			return nil, false
		}
		name := key.String()
		if name == "items" && all == nil {
			if all, err = splitItems(dec, data); err != nil || all == nil {
				return nil, false
			}
			continue
		}
		if strings.EqualFold(name, "items") || dec.SkipValue() != nil {
			return nil, false
		}
	}
	_, _ = dec.ReadToken()
	return all, len(bytes.TrimSpace(data[dec.InputOffset():])) == 0
}

// splitItems reads the array that dec is at; nil is something else.
func splitItems(dec *jsontext.Decoder, data []byte) ([]item, error) {
	if dec.PeekKind() != '[' {
		return nil, nil
	}
	_, _ = dec.ReadToken()
	all := []item{}
	for dec.PeekKind() == '{' {
		before := int(dec.InputOffset())
		start := before + bytes.IndexByte(data[before:], '{') // past a comma and white space
		var x item
		if err := jsonv2.UnmarshalDecode(dec, &x.named); err != nil {
			return nil, err
		}
		x.raw, x.at = data[start:dec.InputOffset()], start
		all = append(all, x)
	}
	if dec.PeekKind() != ']' {
		return nil, nil
	}
	_, err := dec.ReadToken()
	return all, err
}

// A press takes the white space out of values, so that equal objects are equal
// bytes. It keeps them side by side in a few large pieces of memory, apart from
// the files, of which more than half may be white space.
type press struct{ piece []byte }

// pieceSize is small beside a cluster's objects and large beside one object.
const pieceSize = 1 << 20

func (p *press) compact(raw []byte) json.RawMessage {
	if cap(p.piece)-len(p.piece) < len(raw) {
		p.piece = make([]byte, 0, max(pieceSize, len(raw)))
	}
	from := len(p.piece)
	out, err := jsontext.AppendFormat(p.piece, raw, jsontext.PreserveRawStrings(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return bytes.Clone(raw) // not reached: raw was parsed before
	}
	p.piece = out
	return json.RawMessage(out[from:len(out):len(out)])
}
