//go:build e2e

package main

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"

	"vedette.dev/fixtures/dcgmstub"
)

// A kubelet says which pods hold the GPUs.
type kubelet struct {
	podresources.UnimplementedPodResourcesListerServer
	answer podresources.ListPodResourcesResponse
}

// List implements the kubelet's PodResources API.
func (k *kubelet) List(context.Context, *podresources.ListPodResourcesRequest) (*podresources.ListPodResourcesResponse, error) {
	return &k.answer, nil
}

// serveKubelet answers at socket: pods hold each of the GPUs, which is shared by
// time where they are more than one.
func serveKubelet(socket string, gpus, pods int) (stop func(), err error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	k := &kubelet{}
	for g := range gpus {
		for n := range pods {
			id := dcgmstub.UUID(g)
			if pods > 1 {
				id = fmt.Sprintf("%s::%d", id, n)
			}
			k.answer.PodResources = append(k.answer.PodResources, &podresources.PodResources{Name: fmt.Sprintf("train-%d-%d", g, n), Namespace: "ml",
				Containers: []*podresources.ContainerResources{{Name: "main", Devices: []*podresources.ContainerDevices{{ResourceName: "nvidia.com/gpu", DeviceIds: []string{id}}}}}})
		}
	}
	s := grpc.NewServer()
	podresources.RegisterPodResourcesListerServer(s, k)
	go s.Serve(l) // ends with stop
	return s.Stop, nil
}
