package index_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/nlq/prose/index"
	"vedette.dev/rules/catalog"
)

const bakery = `metric,type,unit,entity,labels,min,max,bad,words,help,exporter,default,window,source
bakery_oven_temperature_celsius,gauge,Cel,oven,oven,,,high,oven heat,How hot an oven is,bakery,on,,ours
bakery_loaves_baked_total,counter,{loaf},oven,oven,0,,,loaves baked,Loaves that came out,bakery,on,,ours
bakery_loaves_burnt_total,counter,{loaf},oven,oven,0,,high,burnt loaves,Loaves that came out black,bakery,on,,ours
bakery_proof_seconds,histogram,s,dough,,0,,high,time to rise,How long dough rises,bakery,on,,ours
`

func TestFind(t *testing.T) {
	c, err := catalog.Parse("bakery.csv", strings.NewReader(bakery))
	if err != nil {
		t.Fatal(err)
	}
	w := &index.Words{Same: map[string]string{index.Stem("bread"): index.Stem("loaf")}, Stop: map[string]bool{"the": true}}
	x := index.New(c, w)
	for _, tt := range []struct{ words, want string }{
		{"burnt loaves", "bakery_loaves_burnt_total"},
		{"oven heats", "bakery_oven_temperature_celsius"}, // other forms of the words
		{"heat of the oven", "bakery_oven_temperature_celsius"},
		{"time to rise", "bakery_proof_seconds_bucket"}, // people's words are the histogram's
	} {
		query := map[string]float64{}
		for _, word := range index.Plain(tt.words) {
			query[w.Key(word)] = 1
		}
		for range 2 { // what one question added up is gone for the next
			hits := x.Find(query, 2)
			if len(hits) == 0 || string(hits[0].ID) != tt.want {
				t.Errorf("Find(%q) = %v, want %s first", tt.words, hits, tt.want)
			}
		}
	}
	if hits := x.Find(map[string]float64{"croissant": 1}, 2); len(hits) > 0 {
		t.Errorf("Find(croissant) = %v, want nothing", hits)
	}
}

func TestName(t *testing.T) {
	for id, want := range map[string][]string{
		"node_memory_MemFree_bytes": {"node", "memory", "mem", "free", "bytes"},
		"DCGM_FI_DEV_GPU_TEMP":      {"dcgm", "fi", "dev", "gpu", "temp"},
		"vllm:num_requests_running": {"vllm", "num", "requests", "running"},
	} {
		if diff := cmp.Diff(want, index.Name(id)); diff != "" {
			t.Errorf("Name(%s) (-want +got):\n%s", id, diff)
		}
	}
}

// A metric that is called by words none of which is in its name is found by
// numbers, and not by what dividing by nothing comes to.
func TestFindNameWithoutWords(t *testing.T) {
	const rows = `metric,type,unit,entity,labels,min,max,bad,words,help,exporter,default,window,source
up,gauge,{bool},source,,0,1,low,oven reached,Whether an oven answers,bakery,on,,ours
`
	c, err := catalog.Parse("bakery.csv", strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	w := &index.Words{Stop: map[string]bool{"up": true}}
	hits := index.New(c, w).Find(map[string]float64{w.Key("oven"): 1}, 1)
	if len(hits) != 1 || hits[0].Named != 0 || hits[0].Score() != hits[0].Score() {
		t.Errorf("Find(oven) = %+v, want up, of whose name nothing was said", hits)
	}
}
