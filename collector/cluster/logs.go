package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// A container's log is its last lines: what it died of is at the end, and a
	// server at debug level writes more than anyone reads.
	logLines = 2000
	logBytes = 1 << 20
	// maxLogged bounds the containers whose logs are read, those of pods that are
	// not well before others: 500 take some minutes and at most half a GiB.
	maxLogged = 500
	// maxRefused bounds how many logs that could not be read are named.
	maxRefused = 10
)

// A wanted is a log to be read.
type wanted struct {
	pod       *corev1.Pod
	container string
	previous  bool
	unwell    bool
}

// logs reads the logs of the pods that were listed.
func (l *look) logs(ctx context.Context) {
	client, err := kubernetes.NewForConfigAndClient(l.api, l.link)
	if err != nil {
		l.blind("logs of containers: %v", err)
		return
	}
	all := wantedOf(l.pods)
	if len(all) > maxLogged {
		l.blind("logs of containers: %d of %d were read, those of pods that are not well first", maxLogged, len(all))
		all = all[:maxLogged]
	}
	var g errgroup.Group
	g.SetLimit(atOnce)
	var mu sync.Mutex
	refused := map[string]error{}
	read := make([]*Log, len(all))
	for i, w := range all {
		g.Go(func() error {
			text, err := l.log(ctx, client, w)
			if err == nil {
				read[i] = &Log{w.pod.Namespace, w.pod.Name, w.container, w.previous, text}
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if w.previous {
				return nil // the kubelet keeps them only while there is room
			}
			refused[fmt.Sprintf("pod/%s/%s, container %s", w.pod.Namespace, w.pod.Name, w.container)] = err
			return nil
		})
	}
	_ = g.Wait() // each said what it could not see
	for _, r := range read {
		if r != nil {
			l.sight.Logs = append(l.sight.Logs, *r)
		}
	}
	l.refusals(refused)
}

// refusals names logs that could not be read: one reason that all have, once.
func (l *look) refusals(refused map[string]error) {
	names := make([]string, 0, len(refused))
	forbidden := 0
	for name, err := range refused {
		names = append(names, name)
		if apierrors.IsForbidden(err) {
			forbidden++
		}
	}
	slices.Sort(names)
	if forbidden > 0 && forbidden == len(names) {
		l.blind("logs of containers: %v", refused[names[0]])
		return
	}
	for _, name := range names[:min(len(names), maxRefused)] {
		l.blind("logs of %s: %v", name, refused[name])
	}
	if more := len(names) - maxRefused; more > 0 {
		l.blind("logs of %d more containers: not read either", more)
	}
}

// wantedOf returns the logs that there should be, those of pods that are not
// well first.
func wantedOf(pods []*corev1.Pod) []wanted {
	var all []wanted
	for _, p := range pods {
		statuses := slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses)
		unwell := slices.ContainsFunc(statuses, func(s corev1.ContainerStatus) bool {
			done := s.State.Terminated != nil && s.State.Terminated.ExitCode == 0
			return !s.Ready && !done || s.RestartCount > 0
		})
		for _, s := range statuses {
			if s.State.Running != nil || s.State.Terminated != nil {
				all = append(all, wanted{p, s.Name, false, unwell})
			}
			if s.LastTerminationState.Terminated != nil || s.RestartCount > 0 {
				all = append(all, wanted{p, s.Name, true, unwell})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b wanted) int {
		switch {
		case a.unwell == b.unwell:
			return 0
		case a.unwell:
			return -1
		}
		return 1
	})
	return all
}

func (l *look) log(ctx context.Context, client kubernetes.Interface, w wanted) ([]byte, error) {
	lines, size := int64(logLines), int64(logBytes)
	o := &corev1.PodLogOptions{Container: w.container, Previous: w.previous, Timestamps: true, TailLines: &lines, LimitBytes: &size}
	if !l.Since.IsZero() && !w.previous { // what it died of may be long ago
		since := metav1.NewTime(l.Since)
		o.SinceTime = &since
	}
	in, err := client.CoreV1().Pods(w.pod.Namespace).GetLogs(w.pod.Name, o).Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, logBytes))
	if len(text) > 0 && err != nil && !errors.Is(err, context.Canceled) {
		return text, nil // part of a log is a log
	}
	return text, err
}
