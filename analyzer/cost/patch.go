package cost

import (
	"fmt"
	"strings"
	"time"
)

// Patches are YAML: what is merged into an object by kubectl patch --patch-file,
// or applied beside it. The first line says which.

func replicasPatch(w Workload, n int) string {
	return fmt.Sprintf("# kubectl -n %s patch %s %s --patch-file FILE\nspec:\n  replicas: %d\n", w.Namespace, strings.ToLower(w.Kind), w.Name, n)
}

// resourcePatch asks for another resource in place of GPUs.
func resourcePatch(w Workload, container, resource string) string {
	spec := "spec:\n  template:\n    spec:\n      "
	how := fmt.Sprintf("# kubectl -n %s patch %s %s --patch-file FILE\n", w.Namespace, strings.ToLower(w.Kind), w.Name)
	if w.Kind != "Deployment" && w.Kind != "StatefulSet" {
		how = fmt.Sprintf("# in the manifest that makes %s %s: a pod's resources cannot be changed\n", strings.ToLower(w.Kind), w)
		if w.Kind == "CronJob" {
			spec = "spec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          "
		}
	}
	indent := spec[strings.LastIndexByte(spec, '\n')+1:]
	return how + spec + "containers:\n" + indent + "- name: " + or(container, "CONTAINER # its name was not seen") + "\n" +
		indent + "  resources:\n" + indent + "    limits:\n" + indent + "      nvidia.com/gpu: null\n" + indent + "      " + resource + ": 1\n" +
		indent + "    requests:\n" + indent + "      nvidia.com/gpu: null\n"
}

// sharingPatch has the device plugin tell of each GPU several times:
// https://docs.nvidia.com/datacenter/cloud-native/gpu-operator/latest/gpu-sharing.html
func sharingPatch(n int) string {
	return fmt.Sprintf("# in the device plugin's configuration for the nodes of these pods\nversion: v1\nsharing:\n  timeSlicing:\n    resources:\n    - name: nvidia.com/gpu\n      replicas: %d\n", n)
}

// cronPatch has KEDA hold a workload up at its hours alone:
// https://keda.sh/docs/latest/scalers/cron/
func cronPatch(w Workload, from, to int, days []time.Weekday, replicas int) string {
	var on []string
	for _, d := range days {
		on = append(on, fmt.Sprint(int(d)))
	}
	end := fmt.Sprintf("0 %d * * %s", to, strings.Join(on, ","))
	if to == 24 {
		end = fmt.Sprintf("59 23 * * %s", strings.Join(on, ","))
	}
	return fmt.Sprintf(`# kubectl apply -f, beside it
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: %s-hours
  namespace: %s
spec:
  scaleTargetRef:
    kind: %s
    name: %s
  minReplicaCount: 0
  triggers:
  - type: cron
    metadata:
      timezone: Etc/UTC
      start: 0 %d * * %s
      end: %s
      desiredReplicas: "%d"
`, w.Name, w.Namespace, w.Kind, w.Name, from, strings.Join(on, ","), end, replicas)
}

// instancePatch asks a pool for other machines, as Karpenter's NodePool has it.
func instancePatch(pool, instance string) string {
	return fmt.Sprintf("# kubectl patch nodepool %s --type merge --patch-file FILE; of a managed node group, a new one with this type\n"+
		"spec:\n  template:\n    spec:\n      requirements:\n      - key: node.kubernetes.io/instance-type\n        operator: In\n        values: [%s]\n", or(pool, "POOL"), instance)
}
