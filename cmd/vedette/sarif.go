package main

import (
	"encoding/json"
	"io"
	"slices"
)

// writeSARIF writes problems in the form that code hosts show beside the lines
// of a change: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
func writeSARIF(w io.Writer, found []ruleProblem) error {
	levels := map[string]string{"error": "error", "warning": "warning", "info": "note"}
	results, ids := []map[string]any{}, []string{}
	for _, p := range found {
		ids = append(ids, p.Check)
		text := p.Text
		if p.Rule != "" {
			text = p.Rule + ": " + text
		}
		results = append(results, map[string]any{
			"ruleId": p.Check, "level": levels[p.Severity], "message": map[string]any{"text": text},
			"locations": []any{map[string]any{"physicalLocation": map[string]any{
				"artifactLocation": map[string]any{"uri": p.File},
				"region":           map[string]any{"startLine": p.Line, "startColumn": p.Column, "endLine": p.EndLine, "endColumn": p.EndColumn},
			}}},
		})
	}
	slices.Sort(ids)
	rules := []map[string]any{}
	for _, id := range slices.Compact(ids) {
		rules = append(rules, map[string]any{"id": id})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(map[string]any{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
		"runs": []any{map[string]any{
			"tool":       map[string]any{"driver": map[string]any{"name": "vedette", "version": version, "rules": rules}},
			"results":    results,
			"columnKind": "unicodeCodePoints",
		}},
	})
}
