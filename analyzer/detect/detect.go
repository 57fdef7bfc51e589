// Package detect says what is unusual in the samples that stream past, in
// constant memory per series: [Level] judges one series by its own past,
// [Peers] the members of a group by one another, and [Bank] runs both over the
// metrics that watches.csv lists, and over what is left of those that
// explained.csv has another explain, judges the metrics of one subject together
// where joint.csv says which, and remembers what is unusual now.
//
// A score is a probability, not a severity: a harmless series that does
// something new scores as high as a dying GPU. What a deviation must amount to
// before anyone hears of it stands in watches.csv, in the metric's own unit.
package detect
