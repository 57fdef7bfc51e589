// Package talk is all contact with language models. A [Line] leads to one
// model: what is said over it is within a budget, counted, and written down;
// a [Veil] takes out of it what must not leave; what comes back is a [Form],
// filled in, or nothing.
//
// What a reader would get wrong: it knows nothing of what is talked about.
// Which questions are asked, and what is believed of the answers, is for the
// packages that fill in forms of their own.
package talk
