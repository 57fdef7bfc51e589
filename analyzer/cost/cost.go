// Package cost says what GPUs cost and who has the use of them: GPU-hours by
// namespace, team, workload and pool; what of them lies idle and how; how
// broken up the free GPUs are; what could be smaller, and what that saves.
//
// [Reader] reads plain [Facts] from a store, [Account] makes a [Report] of
// them and a price book, and is a pure function. What was not seen is a gap of
// the report, with its hours, and is never guessed at.
//
// What a reader would get wrong: money is list price, or what the operator's
// own book says, times hours that were seen. It is not the bill: who has a
// contract writes its discount into the book.
package cost

import "math"

// monthHours is a month as AWS counts it: 365 days of 24 hours in twelve parts.
// https://aws.amazon.com/calculator/calculator-assumptions/
const monthHours = 730

// Cents rounds money to what can be paid.
func Cents(usd float64) float64 { return math.Round(usd*100) / 100 }
