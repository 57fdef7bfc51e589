#!/bin/sh
# How the development requests fare: make bench-nlq. They and their scorer must
# not be redistributed: they are looked for in ../shared, or in $VEDETTE_DATA.
set -eu

data=${VEDETTE_DATA:-../shared}
if [ ! -d "$data/corpora" ] || [ ! -d "$data/tools/nlqscore" ]; then
	echo "bench-nlq: left out: no development requests and scorer in $data (VEDETTE_DATA says where they are)"
	exit 0
fi

data=$(cd "$data" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd "$data/tools/nlqscore" && go build -o "$tmp/nlqscore" .)

# score NAME REQUESTS: answers and scores them, and prints what became of them.
score() {
	bin/vedette ask --batch "$2" >"$tmp/$1.answers"
	"$tmp/nlqscore" -ref "$2" -cand "$tmp/$1.answers" -out "$tmp/$1.results" >"$tmp/$1.scores"
	echo "== $1"
	grep -E '^(pairs|exec \+ for|kind right)' "$tmp/$1.scores"
	go test ./nlq/batch -count 1 -run TestCauses -v -args -requests "$2" -answers "$tmp/$1.answers" -results "$tmp/$1.results" | grep '^  '
}

# Requests and texts of our own, which others than who wrote the readers wrote.
# What they came to at first sight, before the readers were developed on them
# too, these commits show: "A question may go on from the one before", "Merge the
# model engine", "Silence can be asked for …" (third and texts), "What is lower
# than, near to or short of …" (fourth), "Values of a label that are said …" (fifth),
# "An Alertmanager's address is read in one way" (sixth and the second texts), "An
# amount of what is left is no share of it" (seventh), "A figure that nobody can
# check here …" (eighth and the third texts), "Texts that say fewer than it should
# be …" (ninth), "The detectors' speed in the README …" (tenth and eleventh), "A code of HTTP
# is kept beside a metric …" (twelfth and thirteenth), "TestDemo approves the
# cordon …" (fourteenth), "Growth that is over, sums at their peak …" (fifteenth),
# "The demo of another scenario …" (sixteenth), "A share of codes is of the service
# that is named …" (seventeenth), "An alert on a share is called a share …"
# (eighteenth), "A share of a quota is no share of GPUs …" (nineteenth), "The same card is
# compared anyway …" (twentieth and twenty-first), "NVIDIA GPUs are GPUs" (twenty-second).
score first nlq/batch/testdata/requests-1.jsonl
score second nlq/batch/testdata/requests-2.jsonl
score third nlq/batch/testdata/requests-3.jsonl
score fourth nlq/batch/testdata/requests-4.jsonl
score fifth nlq/batch/testdata/requests-5.jsonl
score sixth nlq/batch/testdata/requests-6.jsonl
score seventh nlq/batch/testdata/requests-7.jsonl
score eighth nlq/batch/testdata/requests-8.jsonl
score ninth nlq/batch/testdata/requests-9.jsonl
score tenth nlq/batch/testdata/requests-10.jsonl
score eleventh nlq/batch/testdata/requests-11.jsonl
score twelfth nlq/batch/testdata/requests-12.jsonl
score thirteenth nlq/batch/testdata/requests-13.jsonl
score fourteenth nlq/batch/testdata/requests-14.jsonl
score fifteenth nlq/batch/testdata/requests-15.jsonl
score sixteenth nlq/batch/testdata/requests-16.jsonl
score seventeenth nlq/batch/testdata/requests-17.jsonl
score eighteenth nlq/batch/testdata/requests-18.jsonl
score nineteenth nlq/batch/testdata/requests-19.jsonl
score twentieth nlq/batch/testdata/requests-20.jsonl
score twenty-first nlq/batch/testdata/requests-21.jsonl
score twenty-second nlq/batch/testdata/requests-22.jsonl
score texts nlq/batch/testdata/texts-1.jsonl
score texts-2 nlq/batch/testdata/texts-2.jsonl
score texts-3 nlq/batch/testdata/texts-3.jsonl

score gpu "$data/corpora/nlq_gpu_dev.jsonl"
score corpus "$data/corpora/nlq_dev.jsonl"

# The same requests as they were written, before what they lack was added.
sed -E 's/"nl":("([^"\\]|\\.)*"),"nl_orig":("([^"\\]|\\.)*")/"nl":\3,"nl_orig":\3/' "$data/corpora/nlq_dev.jsonl" >"$tmp/orig.jsonl"
score corpus-as-written "$tmp/orig.jsonl"

# How often the metric that is meant is found, with weights found without its family.
echo "== metrics of corpus"
go test ./nlq/prose -count 1 -run TestFit -v -args -requests "$data/corpora/nlq_dev.jsonl" | grep '^  '
