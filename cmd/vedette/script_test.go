package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vedette": main})
}

// TestScripts runs the scripts of testdata/script, each a session at a
// terminal. Beside testscript's own commands there are:
//
//	status N PROGRAM ARG...  runs the program, which must end with N
//	free NAME                sets $NAME to a free address of loopback
//	occupy NAME              sets $NAME to an address that somebody listens on
//	env-config FILE          puts the environment's variables into the file
//	unpack ARCHIVE DIR       unpacks a txtar archive
//	model NAME FILE          sets $NAME to the address of a model that says the lines of the file, one a call, the last for ever;
//	                         what it is sent is added to FILE.sent
//	without KEY FILE         takes a key of its outermost object out of a file of JSON
//	await URL [TEXT]         waits until URL answers with 200, and with TEXT in it
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			root, err := os.Getwd()
			env.Setenv("ROOT", root+"/../..")
			env.Setenv("VEDETTE_TOKEN", "")
			env.Setenv("TZ", "Pacific/Auckland") // nothing may depend on it
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status": status, "free": free, "occupy": occupy, "await": await, "env-config": envConfig, "unpack": unpack, "model": speaks, "without": without,
		},
	})
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status is %d, want %d", got, want)
	}
}

func free(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Check(l.Close())
}

func occupy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Defer(func() { l.Close() })
}

// speaks answers OpenAI's chat completions. An empty line is an error of the server.
func speaks(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: model NAME FILE")
	}
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile(args[1]), "\n"), "\n")
	sent := ts.MkAbs(args[1]) + ".sent"
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err == nil {
			body = append(body, '\n')
			var f *os.File
			if f, err = os.OpenFile(sent, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
				_, err = f.Write(body)
				err = errors.Join(err, f.Close())
			}
		}
		line := lines[0]
		if lines = lines[1:]; len(lines) == 0 {
			lines = []string{line}
		}
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		case r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer of-the-model":
			http.Error(w, `{"error":{"message":"who are you"}}`, http.StatusUnauthorized)
		case line == "":
			http.Error(w, `{"error":{"message":"overloaded"}}`, http.StatusServiceUnavailable)
		default:
			json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]string{"role": "assistant", "content": line}, "finish_reason": "stop"}},
				"usage": map[string]int{"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100}})
		}
	}))
	ts.Defer(srv.Close)
	ts.Setenv(args[0], srv.URL+"/v1")
}

func envConfig(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path, []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o644))
}

func unpack(ts *testscript.TestScript, _ bool, args []string) {
	ar, err := txtar.ParseFile(args[0])
	ts.Check(err)
	dir := ts.MkAbs(args[1])
	ts.Check(os.Mkdir(dir, 0o755))
	ts.Check(txtar.Write(ar, dir))
}

func without(ts *testscript.TestScript, _ bool, args []string) {
	var o map[string]json.RawMessage
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &o))
	if o[args[0]] == nil {
		ts.Fatalf("%s has no key %s", args[1], args[0])
	}
	var kept []string
	for line := range strings.Lines(ts.ReadFile(args[1])) { // as it was written: our JSON is indented, a key of the outermost by two
		if strings.HasPrefix(line, "  \""+args[0]+"\":") {
			kept[len(kept)-1] = strings.TrimSuffix(kept[len(kept)-1], ",\n") + "\n"
			kept = append(kept, "}\n")
			break
		}
		kept = append(kept, line)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(kept, "")), 0o644))
}

// patience is how long a script waits for what a server has yet to fill in: many
// times what it takes, for the race detector and other tests run beside it.
const patience = 4 * time.Minute

func await(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for last := ""; ; {
		if said, err := fetch(ctx, args[0]); err != nil {
			last = err.Error()
		} else if len(args) < 2 || strings.Contains(said, args[1]) {
			return
		} else {
			last = said
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("%s: %.500s", args[0], last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func fetch(ctx context.Context, url string) (string, error) {
	var said string
	c := &client{server: url}
	err := c.call(ctx, http.MethodGet, "", nil, &said)
	if err != nil {
		return "", fmt.Errorf("fetch: %w", err)
	}
	return said, nil
}
