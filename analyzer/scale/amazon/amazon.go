// Package amazon keeps EKS managed node groups from having fewer nodes than a
// forecast asks for. It raises the minimum: what is more than that is the
// cluster autoscaler's affair, and the maximum is the account's.
package amazon

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/scale"
)

// Nodegroups sets the fewest nodes of node groups.
type Nodegroups struct{ API *eks.Client }

var _ action.Executor = (*Nodegroups)(nil)

// Open finds credentials as every AWS program does; a region "" is the
// environment's. An endpoint other than AWS' own is for tests.
func Open(ctx context.Context, region, endpoint string) (*Nodegroups, error) {
	var opts []func(*config.LoadOptions) error
	if region != "" {
		opts = append(opts, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("EKS: %w", err)
	}
	return &Nodegroups{API: eks.NewFromConfig(cfg, func(o *eks.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})}, nil
}

// Execute sets the minimum of the node group that a's target names, as
// cluster/node group. The desired number goes along where it is lower: EKS
// takes no minimum above it. It is never lowered.
func (n *Nodegroups) Execute(ctx context.Context, a action.Action) (string, error) {
	cluster, group, ok := strings.Cut(a.Target, "/")
	least, err := strconv.ParseInt(a.Params[scale.Units], 10, 32)
	if !ok || err != nil || least < 0 {
		return "", fmt.Errorf("set the fewest nodes of %q to %q: cluster/node group and a number from 0 up are wanted", a.Target, a.Params[scale.Units])
	}
	out, err := n.API.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &group})
	if err != nil {
		return "", fmt.Errorf("read node group %s: %w", a.Target, err)
	}
	g := out.Nodegroup
	if g.ScalingConfig == nil {
		return "", fmt.Errorf("node group %s does not say how many nodes it may have", a.Target)
	}
	is := g.ScalingConfig
	if int64(aws.ToInt32(is.MinSize)) == least {
		return fmt.Sprintf("node group %s has at least %d nodes already", a.Target, least), nil
	}
	if g.Status != types.NodegroupStatusActive { // EKS makes one change at a time
		return "", fmt.Errorf("set the fewest nodes of %s to %d: the node group is %s", a.Target, least, g.Status)
	}
	if most := int64(aws.ToInt32(is.MaxSize)); least > most {
		return "", fmt.Errorf("set the fewest nodes of %s to %d: it may have %d at most", a.Target, least, most)
	}
	to := &types.NodegroupScalingConfig{MinSize: aws.Int32(int32(least))}
	if int64(aws.ToInt32(is.DesiredSize)) < least {
		to.DesiredSize = to.MinSize
	}
	update, err := n.API.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{ClusterName: &cluster, NodegroupName: &group, ScalingConfig: to})
	if err != nil {
		return "", fmt.Errorf("set the fewest nodes of %s to %d: %w", a.Target, least, err)
	}
	return fmt.Sprintf("node group %s goes from at least %d to %d nodes: update %s", a.Target, aws.ToInt32(is.MinSize), least, aws.ToString(update.Update.Id)), nil
}
